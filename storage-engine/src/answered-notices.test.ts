import t from 'tap'
import { type AnsweredNotice, AnsweredNotices } from './answered-notices.js'

const what = { kind: 'tasks.abort', volumeId: 'shared', sessionId: 7, reset: true } as const

function start(slots: number[]) {
  let last = 0
  const notices = new AnsweredNotices(() => ++last)
  const told: AnsweredNotice[] = []
  const state = { complete: false }
  const promise = notices
    .start(slots, what, notice => told.push(notice))
    .then(() => {
      state.complete = true
    })
  const settle = () => new Promise(resolve => setImmediate(resolve))
  return { notices, told, state, promise, settle }
}

t.test('a function is complete when the last worker has ended its tasks [SAM-5 §7]', async t => {
  const { notices, told, state, settle } = start([0, 3])
  t.match(told, [what])
  const noticeId = told[0]?.noticeId ?? 0
  notices.done(noticeId, 3)
  notices.done(noticeId, 3)
  await settle()
  t.equal(state.complete, false, 'one worker has not answered')
  notices.done(noticeId, 0)
  await settle()
  t.equal(state.complete, true)
})

t.test('a worker that dies has no tasks any more', async t => {
  const { notices, told, state, settle } = start([1, 2])
  notices.done(told[0]?.noticeId ?? 0, 1)
  notices.gone(2)
  await settle()
  t.equal(state.complete, true)
})

t.test('a notice that is told again while it is under way is the same one: both wait for the last worker', async t => {
  const notices = new AnsweredNotices(() => 1)
  const told: AnsweredNotice[] = []
  const over: string[] = []
  const tell = (notice: AnsweredNotice) => void told.push(notice)
  for (const who of ['first', 'second']) void notices.start([4], what, tell, 77).then(() => over.push(who))
  await new Promise(resolve => setImmediate(resolve))
  t.same([told.length, over], [1, []])
  notices.done(77, 4)
  await new Promise(resolve => setImmediate(resolve))
  t.same(over, ['first', 'second'])
})

t.test('without a worker there is nothing to wait for', async t => {
  const { promise } = start([])
  await t.resolves(promise)
})

t.test('an answer to another function, or from nobody asked, completes nothing', async t => {
  const { notices, told, state, settle } = start([5])
  const noticeId = told[0]?.noticeId ?? 0
  notices.done(noticeId + 1, 5)
  notices.done(noticeId, 6)
  await settle()
  t.equal(state.complete, false)
})
