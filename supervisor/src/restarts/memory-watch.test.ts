/** When memory is a reason to restart a worker, and when it is not. The clock and the workers are the test's. */
import t, { type Test } from 'tap'
import { createLog } from '../log.js'
import { MemoryWatch } from './memory-watch.js'

const LIMIT = 100

function lab(_: Test) {
  const heap = new Map([
    [0, 50],
    [1, 50],
  ])
  const restarted: number[] = []
  const lines: { hint?: string }[] = []
  const clock = { now: 0 }
  const watch = new MemoryWatch({
    places: () =>
      [...heap].map(([number, heapBytes]) => ({
        number,
        health: { heapBytes, externalBytes: 10, delayMean: 0, delayP99: 0, delayMax: 0 },
      })) as never,
    restart: async number => {
      restarted.push(number)
      return { moved: 0, dropped: 0, pauseMs: { median: 0, p99: 0, max: 0 } }
    },
    limitBytes: LIMIT,
    log: createLog('info', { write: text => void lines.push(JSON.parse(text)) }),
    now: () => clock.now,
  })
  const looks = async (count: number, stepMs = 2_000) => {
    for (let look = 0; look < count; look++) {
      clock.now += stepMs
      await watch.look()
    }
  }
  return { heap, restarted, lines, looks }
}

t.test(
  'a worker that is over the limit five times in a row is restarted, heap and buffers counted together',
  async t => {
    const { heap, restarted, lines, looks } = lab(t)
    heap.set(1, 91)
    await looks(4)
    t.same(restarted, [])
    await looks(1)
    t.same(restarted, [1])
    t.match(lines, [{ event: 'worker.memory', worker: 1, bytes: 101, limitBytes: LIMIT, hint: undefined }])
  },
)

t.test('garbage that is collected in between is no reason', async t => {
  const { heap, restarted, looks } = lab(t)
  for (let round = 0; round < 5; round++) {
    heap.set(0, 200)
    await looks(4)
    heap.set(0, 90)
    await looks(1)
  }
  t.same(restarted, [])
})

t.test(
  'a worker that a restart does not help is left alone for longer each time, and the log says what to do',
  async t => {
    const { heap, restarted, lines, looks } = lab(t)
    heap.set(0, 500)
    await looks(30 * 60) // an hour
    t.ok(restarted.length >= 4 && restarted.length <= 7, `${restarted.length} restarts in an hour`)
    t.match(lines.at(-1)?.hint, /raise restarts\.memoryBytes/)
    await looks(30 * 60 * 10)
    t.ok(restarted.length <= 17, `${restarted.length} restarts in eleven hours`)
    t.ok(restarted.length >= 13, 'but it is still tried once an hour')
  },
)

t.test('a refusal is no end of the watch', async t => {
  const heap = { heapBytes: 500, externalBytes: 0, delayMean: 0, delayP99: 0, delayMax: 0 }
  let asked = 0
  const watch = new MemoryWatch({
    places: () => [{ number: 0, health: heap }, { number: 1 }] as never,
    restart: async () => {
      asked++
      throw new Error('another restart is under way')
    },
    limitBytes: LIMIT,
    log: createLog('silent'),
  })
  for (let look = 0; look < 5; look++) await watch.look()
  t.equal(asked, 1)
})
