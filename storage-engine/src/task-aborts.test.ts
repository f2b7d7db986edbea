import t from 'tap'
import { type AbortNotice, TaskAborts } from './task-aborts.js'

const what = { volumeId: 'shared', sessionId: 7, reset: true }

function start(slots: number[]) {
  const aborts = new TaskAborts()
  const told: AbortNotice[] = []
  const state = { complete: false }
  const promise = aborts
    .start(slots, what, notice => told.push(notice))
    .then(() => {
      state.complete = true
    })
  const settle = () => new Promise(resolve => setImmediate(resolve))
  return { aborts, told, state, promise, settle }
}

t.test('a function is complete when the last worker has ended its tasks [SAM-5 §7]', async t => {
  const { aborts, told, state, settle } = start([0, 3])
  t.match(told, [{ kind: 'tasks.abort', ...what }])
  const abortId = told[0]?.abortId ?? 0
  aborts.done(abortId, 3)
  aborts.done(abortId, 3)
  await settle()
  t.equal(state.complete, false, 'one worker has not answered')
  aborts.done(abortId, 0)
  await settle()
  t.equal(state.complete, true)
})

t.test('a worker that dies has no tasks any more', async t => {
  const { aborts, told, state, settle } = start([1, 2])
  aborts.done(told[0]?.abortId ?? 0, 1)
  aborts.gone(2)
  await settle()
  t.equal(state.complete, true)
})

t.test('without a worker there is nothing to wait for', async t => {
  const { promise } = start([])
  await t.resolves(promise)
})

t.test('an answer to another function, or from nobody asked, completes nothing', async t => {
  const { aborts, told, state, settle } = start([5])
  const abortId = told[0]?.abortId ?? 0
  aborts.done(abortId + 1, 5)
  aborts.done(abortId, 6)
  await settle()
  t.equal(state.complete, false)
})
