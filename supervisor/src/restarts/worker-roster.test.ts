/** Numbers that stay, whoever comes and goes, and counts that go on. */
import { createWorkerCounters, IO_KIND, WorkerCounters } from '@scsipub/contract'
import t from 'tap'
import { WorkerRoster } from './worker-roster.js'

/** A worker whose end is up to the test. */
class Stub {
  connections = 0
  retiring = false
  removed = false
  readonly threadId: number
  readonly slot: number
  readonly gone: Promise<void>
  end: () => void = () => {}

  constructor(threadId: number, slot = threadId) {
    this.threadId = threadId
    this.slot = slot
    this.gone = new Promise(resolve => (this.end = resolve))
  }
}

function roster(workers: number) {
  const shared = createWorkerCounters()
  const countersOf = (slot: number) => new WorkerCounters(shared, slot)
  return { roster: new WorkerRoster<Stub>(workers, countersOf), countersOf }
}

function threads(roster: WorkerRoster<Stub>) {
  return roster.places.map(({ worker }) => worker?.threadId)
}

const settled = () => new Promise(resolve => setImmediate(resolve))

t.test('a worker that is replaced gives its number to the one that stood by', async t => {
  const { roster: all } = roster(2)
  const [first, second, third] = [new Stub(1), new Stub(2), new Stub(3)]
  t.same(threads(all), [undefined, undefined])
  all.joined(first)
  all.joined(second)
  all.joined(third)
  t.same(threads(all), [1, 2], 'the third stands by')
  t.equal(all.numberOf(third), undefined)
  first.removed = true
  first.end()
  await settled()
  t.same(threads(all), [3, 2])
  t.equal(all.numberOf(third), 0)
  t.match(all.place(0), { replaced: 1, died: 0 })
  t.equal(all.place(2), undefined)
  t.equal(all.place(-1), undefined)
})

t.test('one that dies leaves its number empty until the next comes, and is counted as dead', async t => {
  const { roster: all } = roster(2)
  const [first, second] = [new Stub(1), new Stub(2)]
  all.joined(first)
  all.joined(second)
  second.end()
  await settled()
  t.same(threads(all), [1, undefined])
  t.match(all.place(1), { replaced: 0, died: 1, since: undefined, health: undefined })
  all.joined(new Stub(7))
  t.same(threads(all), [1, 7])
})

t.test('one that dies while it is being replaced is counted as dead, and the one that stood by follows it', async t => {
  const { roster: all } = roster(1)
  const [first, second] = [new Stub(1), new Stub(2)]
  all.joined(first)
  all.joined(second)
  first.retiring = true
  first.end()
  await settled()
  t.same(threads(all), [2])
  t.match(all.place(0), { replaced: 0, died: 1 })
})

t.test('one that goes while it stands by is forgotten', async t => {
  const { roster: all } = roster(1)
  const [first, second] = [new Stub(1), new Stub(2)]
  all.joined(first)
  all.joined(second)
  second.end()
  await settled()
  first.end()
  await settled()
  t.same(threads(all), [undefined])
})

t.test('what a number has counted goes on, though the next worker begins at 0', async t => {
  const { roster: all, countersOf } = roster(1)
  const first = new Stub(1, 5)
  all.joined(first)
  for (let command = 0; command < 3; command++) countersOf(5).answered(IO_KIND.read, 0, 512)
  t.match(all.place(0)?.counts, { reads: 3, readBytes: 1536 })
  first.end()
  await settled()
  countersOf(5).clear()
  t.match(all.place(0)?.counts, { reads: 3 })
  all.joined(new Stub(2, 5))
  countersOf(5).answered(IO_KIND.read, 0, 512)
  t.match(all.place(0)?.counts, { reads: 4, readBytes: 2048 })
})
