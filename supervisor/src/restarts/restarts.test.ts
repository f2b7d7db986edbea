/** Who may restart what, and what is told of it; the replacement of a worker is a stub here, see `restart.test.ts` in test/src/protocol for the real one. */
import { createWorkerCounters, WorkerCounters } from '@scsipub/contract'
import t, { type Test } from 'tap'
import type { Replacement } from '../hand-over/worker-replacement.js'
import { createLog } from '../log.js'
import { summaryOfPauses } from './pauses.js'
import { Restarts } from './restarts.js'
import { type RosterWorker, WorkerRoster } from './worker-roster.js'

interface Line {
  event: string
}

interface Lab {
  readonly restarts: Restarts
  readonly lines: Line[]
  /** Thread ids in the order in which they were replaced. */
  readonly replaced: number[]
  replace: (threadId: number) => Promise<Replacement>
}

function lab(_: Test, workers = 3): Lab {
  const shared = createWorkerCounters()
  const roster = new WorkerRoster<RosterWorker>(workers, slot => new WorkerCounters(shared, slot))
  for (let slot = 0; slot < workers; slot++)
    roster.joined({
      threadId: slot + 10,
      slot,
      connections: 0,
      retiring: true,
      removed: true,
      gone: new Promise(() => {}),
    })
  const lines: Line[] = []
  const log = createLog('info', { write: text => void lines.push(JSON.parse(text) as Line) })
  const replaced: number[] = []
  const made: Lab = {
    lines,
    replaced,
    replace: async () => ({ moved: 2, dropped: 1, pausesMs: [1, 3] }),
    restarts: new Restarts({
      roster,
      log,
      replace: async worker => {
        replaced.push(worker.threadId)
        return made.replace(worker.threadId)
      },
    }),
  }
  return made
}

/** A promise that the test settles. */
function held() {
  let release: (value: Replacement) => void = () => {}
  const promise = new Promise<Replacement>(resolve => (release = resolve))
  return { promise, release: () => release({ moved: 0, dropped: 0, pausesMs: [] }) }
}

t.test('all workers in the order of their numbers, one at a time, and one report of all', async t => {
  const { restarts, replaced, lines } = lab(t)
  t.same(await restarts.restart({ reason: 'asked' }), {
    moved: 6,
    dropped: 3,
    pauseMs: { median: 1, p99: 3, max: 3 },
  })
  t.same(replaced, [10, 11, 12])
  t.same(
    lines.map(({ event }) => event),
    ['restart.began', 'worker.restarted', 'worker.restarted', 'worker.restarted', 'restart.done'],
  )
  t.match(restarts.totals, { workers: { asked: 3, memory: 0, schedule: 0 }, failed: 0, moved: 6, dropped: 3 })
  t.equal(restarts.running, undefined)
})

t.test('one worker by its number, and no other', async t => {
  const { restarts, replaced } = lab(t)
  await restarts.restart({ worker: 1, reason: 'memory' })
  t.same(replaced, [11])
  t.match(restarts.totals.workers, { memory: 1 })
  for (const worker of [3, -1, 0.5, Number.NaN])
    await t.rejects(restarts.restart({ worker, reason: 'asked' }), { code: 'worker-unknown' }, String(worker))
  t.same(replaced, [11])
})

t.test('a second restart while one is under way is refused, and changes nothing', async t => {
  const made = lab(t)
  const first = held()
  made.replace = () => first.promise
  const running = made.restarts.restart({ reason: 'asked' })
  t.same(made.restarts.running, [0, 1, 2])
  for (const worker of [undefined, 0, 2])
    await t.rejects(made.restarts.restart({ ...(worker !== undefined && { worker }), reason: 'schedule' }), {
      code: 'restart-running',
    })
  first.release()
  await running
  t.same(made.replaced, [10, 11, 12])
  await made.restarts.restart({ worker: 0, reason: 'asked' })
})

t.test('when no other worker can start the restart ends there, with what was done by then', async t => {
  const made = lab(t)
  made.replace = async threadId => {
    if (threadId === 11) throw new Error('no memory for a thread')
    return { moved: 5, dropped: 0, pausesMs: [2] }
  }
  await t.rejects(made.restarts.restart({ reason: 'asked' }), {
    code: 'worker-cannot-start',
    message: 'worker 1 goes on as it was: no memory for a thread (1 restarted before it)',
  })
  t.same(made.replaced, [10, 11])
  t.match(made.lines.at(-1), { event: 'restart.failed', worker: 1, code: 'worker-cannot-start' })
  t.match(made.restarts.totals, { failed: 1, moved: 5, workers: { asked: 1 } })
  made.replace = async () => ({ moved: 0, dropped: 0, pausesMs: [] })
  await made.restarts.restart({ reason: 'asked' })
})

t.test('a server that stops ends the worker that is under way, and begins no other', async t => {
  const made = lab(t)
  const first = held()
  made.replace = () => first.promise
  const running = made.restarts.restart({ reason: 'asked' })
  let isStopped = false
  const stopped = made.restarts.stop().then(() => {
    isStopped = true
  })
  await new Promise(resolve => setImmediate(resolve))
  t.notOk(isStopped, 'it is waited for')
  first.release()
  await t.rejects(running, { code: 'stopping' })
  await stopped
  t.same(made.replaced, [10])
  await t.rejects(made.restarts.restart({ reason: 'asked' }), { code: 'stopping' })
})

t.test('pauses are told by the nearest rank', t => {
  t.same(summaryOfPauses([]), { median: 0, p99: 0, max: 0 })
  t.same(summaryOfPauses([7.123_456]), { median: 7.12, p99: 7.12, max: 7.12 })
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
  t.same(summaryOfPauses(hundred), { median: 50, p99: 99, max: 100 })
  t.end()
})
