/** A picture of the server: rates between two looks, and how they are written. */
import t from 'tap'
import { latencyOf, overviewThat, workerThat } from '../fixtures/overview.js'
import { formatSpan, formatUs, frameText } from './frame.js'
import { ratesOf } from './rates.js'

const before = overviewThat({ workers: [workerThat({ worker: 0, reads: 100 }), workerThat({ worker: 1, writes: 7 })] })
const now = overviewThat({
  sessions: 3,
  connections: 4,
  restart: [1],
  restarts: { workers: 2, failed: 0, moved: 40, dropped: 1 },
  workers: [
    workerThat({
      worker: 0,
      reads: 20_100,
      read_bytes: 20_000 * 4096,
      sessions: 2,
      latency: { read: latencyOf(6, 99, 9_900), write: latencyOf(13, 1, 10_100), other: latencyOf(24, 50, 1e9) },
    }),
    workerThat({ worker: 1, writes: 9, write_bytes: 1024, state: 'restarting', replaced: 4, died: 1 }),
  ],
})

t.test('rates are differences a second; latency is of reads and writes alone', t => {
  const { all, workers } = ratesOf(before, now, 2)
  t.match(all, { readsPerSecond: 10_000, writesPerSecond: 1, readBytesPerSecond: 40_960_000, writeBytesPerSecond: 512 })
  t.same(all.latency, { meanUs: 200, p99Us: 128 })
  t.match(workers.get(0), { readsPerSecond: 10_000, writesPerSecond: 0 })
  t.equal(workers.get(1)?.latency, undefined)
  t.end()
})

t.test('a server that was started anew has no rates until the next look', t => {
  const { all, workers } = ratesOf(before, { ...now, started_at: '2030-02-01T00:00:00.000Z' }, 1)
  t.match(all, { readsPerSecond: 0, latency: undefined })
  t.match(workers.get(0), { readsPerSecond: 0 })
  t.end()
})

t.test('the picture', t => {
  const nowMs = Date.parse('2030-01-31T14:30:05.000Z')
  t.equal(
    frameText({ before, now, seconds: 2, nowMs }),
    `scsipub, up 4 h 10 min, restarting worker 1, 0 to follow
sessions 3, connections 4, state store up
I/O 10001/s (10000 reads, 1 writes), 39.1 MiB/s read, 512 B/s written, latency 200 µs, p99 under 128 µs
restarts 2 workers, 40 sessions moved, 1 dropped, 0 failed

WORKER  STATE       SESSIONS  READ/s  WRITE/s  READ B/s  WRITE B/s  LATENCY  P99      HEAP    DELAY   RESTARTS
0       serving     2         10000   0        39.1 MiB  0 B        200 µs   <128 µs  11 MiB  2.3 ms  0
1       restarting  0         0       1        0 B       512 B      -        -        11 MiB  2.3 ms  4, 1 died
`,
  )
  t.match(
    frameText({ before, now: { ...now, draining: true, state_store_up: false }, seconds: 1, nowMs }),
    /DRAINING.*DOWN/s,
  )
  t.end()
})

t.test('times as they are read', t => {
  t.same([0, 999, 1_000, 4_140, 2_000_000].map(formatUs), ['0 µs', '999 µs', '1.0 ms', '4.1 ms', '2.0 s'])
  t.same([-5, 900, 61_000, 3_600_000, 90_061_000].map(formatSpan), ['0 s', '0 s', '1 min 1 s', '1 h', '1 d 1 h'])
  t.end()
})
