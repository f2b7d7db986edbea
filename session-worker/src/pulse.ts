/** Once a second a worker tells by its counters that it is alive, what memory it has, and how late its event loop was. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { WorkerCounters } from '@scsipub/contract'

const BEAT_MS = 1_000
/** How often the loop is looked at. What the histogram holds is the time from look to look, so it has this too much. */
const RESOLUTION_MS = 20
const NS_PER_MS = 1e6

/** Begins the beat, which keeps no thread alive. */
export function beginPulse(counters: WorkerCounters): void {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  const late = (ns: number) => Math.max(0, ns / NS_PER_MS - RESOLUTION_MS) || 0 // of no look at all there is no mean
  const beat = () => {
    // V8's own count of external memory has mapped bitmaps in it, gigabytes of large disks, long after they are unmapped.
    const { heapUsed: heapBytes, arrayBuffers: externalBytes } = process.memoryUsage()
    const seen = { delayMean: late(delays.mean), delayP99: late(delays.percentile(99)), delayMax: late(delays.max) }
    counters.beat({ heapBytes, externalBytes, ...seen })
    delays.reset()
  }
  counters.clear()
  beat()
  setInterval(beat, BEAT_MS).unref()
}
