// Which silence of a worker means that it spins.

import t from 'tap'
import { Watchdog } from './watchdog.js'

function lab(t: { teardown(done: () => void): void }) {
  const ends: string[] = []
  const stalls: unknown[] = []
  const clock = { ms: performance.now(), beats: 1, ticks: 0 }
  const worker = { threadId: 1, slot: 0, taskId: 9, terminate: (why: string) => void ends.push(why) }
  const watchdog = new Watchdog({
    workers: () => [worker],
    countersOf: () => ({ beats: clock.beats }),
    log: { warn: (line: unknown) => void stalls.push(line) },
    stateOf: () => ({ state: 'S', ticks: clock.ticks }),
  })
  t.teardown(() => watchdog.stop())
  const looks = (count: number, ticks: number, beat = false) => {
    for (let look = 0; look < count; look++) {
      clock.ms += 1_000
      clock.ticks += ticks
      if (beat) clock.beats++
      watchdog.look(clock.ms)
    }
  }
  return { ends, stalls, clock, watchdog, looks }
}

t.test('one that beats is left alone, however busy it is', async t => {
  const { ends, looks } = lab(t)
  looks(100, 100, true)
  t.same(ends, [])
})

t.test('one that is silent for 5 s and uses the processor is terminated', async t => {
  const { ends, looks } = lab(t)
  looks(5, 100)
  t.same(ends, [], 'four looks of silence')
  looks(1, 100)
  t.match(ends, [/spinning for 5000 ms/])
})

t.test('one that is silent and waits is told of once, and terminated after a minute', async t => {
  const { ends, stalls, looks } = lab(t)
  looks(60, 1)
  t.same(ends, [])
  t.match(stalls, [{ event: 'worker.stalled', threadId: 1 }])
  looks(1, 1)
  t.match(ends, [/silent for 60000 ms/])
})

t.test('a process that was stopped for a while makes nobody a spinner', async t => {
  const { ends, clock, looks } = lab(t)
  looks(5, 100)
  clock.ms += 60_000
  looks(4, 100)
  t.same(ends, [])
})

t.test('one that has never beaten is not watched', async t => {
  const { ends, clock, looks } = lab(t)
  clock.beats = 0
  looks(100, 100)
  t.same(ends, [])
})
