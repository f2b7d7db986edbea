/** Metrics of the session workers, by their numbers: how they are, what they have done, and what their restarts came to. */
import { LATENCY_BUCKETS, type Latency, type WorkerCounts } from '@scsipub/contract'
import { PAUSE_BOUNDS_MS } from '../restarts/pauses.js'
import type { Place, RosterWorker } from '../restarts/worker-roster.js'
import { counter, type Family, gauge, type HistogramSample, type Sample } from './exposition.js'
import type { ServerFacts } from './server-facts.js'

const MS_PER_SECOND = 1e3
const US_PER_SECOND = 1e6
/** Bounds of the samples by binary logarithm, in seconds. */
const LATENCY_BOUNDS = Array.from({ length: LATENCY_BUCKETS - 1 }, (_, log) => 2 ** (log + 1) / US_PER_SECOND)

/** How the workers are. */
export function workerFamilies({ places, sessions }: ServerFacts): Family[] {
  const each = (of: (place: Place<RosterWorker>) => number | undefined) => samplesOf(places, of)
  const delays = (['mean', 'p99', 'max'] as const).flatMap(of => {
    const key = ({ mean: 'delayMean', p99: 'delayP99', max: 'delayMax' } as const)[of]
    return each(({ health }) => health && health[key] / MS_PER_SECOND).map(({ labels, value }) => {
      return { labels: { ...labels, of }, value }
    })
  })
  const sessionsOf = ({ worker }: Place<RosterWorker>) => (worker ? (sessions.byThread.get(worker.threadId) ?? 0) : 0)
  return [
    gauge(
      'scsipub_worker_up',
      '1 while a worker serves under this number',
      each(({ worker }) => (worker ? 1 : 0)),
    ),
    counter(
      'scsipub_worker_beats_total',
      'One a second since the worker began; it stands still when the worker hangs',
      each(({ beats }) => beats),
    ),
    gauge('scsipub_worker_sessions', 'Sessions on the worker', each(sessionsOf)),
    gauge(
      'scsipub_worker_connections',
      'Connections on the worker',
      each(({ worker }) => worker?.connections ?? 0),
    ),
    gauge(
      'scsipub_worker_start_time_seconds',
      'Since when this worker serves, in seconds since 1970',
      each(({ since }) => since && since / MS_PER_SECOND),
    ),
    gauge(
      'scsipub_worker_heap_bytes',
      'Heap in use',
      each(({ health }) => health?.heapBytes),
    ),
    gauge(
      'scsipub_worker_external_bytes',
      'Buffers outside of the heap',
      each(({ health }) => health?.externalBytes),
    ),
    gauge('scsipub_worker_loop_delay_seconds', 'How late the event loop was in its last second', delays),
    counter(
      'scsipub_worker_replaced_total',
      'Workers of this number that were replaced as planned',
      each(({ replaced }) => replaced),
    ),
    counter(
      'scsipub_worker_died_total',
      'Workers of this number that died',
      each(({ died }) => died),
    ),
  ]
}

/** What they have done. */
export function ioFamilies({ places }: ServerFacts): Family[] {
  const each = (of: (counts: WorkerCounts) => number) => samplesOf(places, ({ counts }) => of(counts))
  const both = (read: (counts: WorkerCounts) => number, write: (counts: WorkerCounts) => number): Sample[] => [
    ...each(read).map(({ labels, value }) => ({ labels: { ...labels, direction: 'read' }, value })),
    ...each(write).map(({ labels, value }) => ({ labels: { ...labels, direction: 'write' }, value })),
  ]
  const latencies = (['read', 'write', 'other'] as const).flatMap(kind =>
    places.map(({ number, counts }) => latencyOf({ worker: number, kind }, counts.latency[kind])),
  )
  const conditions = places.flatMap(({ number, counts }) =>
    counts.senseKeys.map((value, key) => ({ labels: { worker: number, sense_key: key.toString(16) }, value })),
  )
  return [
    counter(
      'scsipub_commands_total',
      'SCSI commands that have come',
      each(({ commands }) => commands),
    ),
    counter(
      'scsipub_io_total',
      'READs and WRITEs that were answered GOOD',
      both(
        ({ reads }) => reads,
        ({ writes }) => writes,
      ),
    ),
    counter(
      'scsipub_io_bytes_total',
      'Bytes that they have moved',
      both(
        ({ readBytes }) => readBytes,
        ({ writeBytes }) => writeBytes,
      ),
    ),
    {
      name: 'scsipub_command_seconds',
      help: 'From a command to its status, of every 16th command',
      type: 'histogram',
      samples: latencies,
    },
    counter(
      'scsipub_check_conditions_total',
      'Commands that ended with CHECK CONDITION, by sense key',
      conditions.filter(({ value }) => value > 0),
    ),
    counter(
      'scsipub_out_of_space_total',
      'Commands that ended with 7/27/07, for want of space',
      each(({ outOfSpace }) => outOfSpace),
    ),
  ]
}

/** What restarts came to. */
export function restartFamilies({ restarts }: ServerFacts): Family[] {
  const { workers, failed, moved, dropped, pauses } = restarts
  const reasons = Object.entries(workers).map(([reason, value]) => ({ labels: { reason }, value }))
  const bounds = PAUSE_BOUNDS_MS.map(ms => ms / MS_PER_SECOND)
  return [
    counter('scsipub_worker_restarts_total', 'Workers that were restarted as planned, by reason', reasons),
    counter('scsipub_restarts_failed_total', 'Restarts that were not finished', failed),
    counter('scsipub_sessions_moved_total', 'Sessions that went on in another worker', moved),
    counter('scsipub_sessions_dropped_total', 'Sessions that a restart has lost', dropped),
    {
      name: 'scsipub_move_pause_seconds',
      help: 'For how long sessions were not served while they moved',
      type: 'histogram',
      samples: [{ bounds, counts: pauses.counts, sum: pauses.sumMs / MS_PER_SECOND }],
    },
  ]
}

function samplesOf(
  places: readonly Place<RosterWorker>[],
  of: (place: Place<RosterWorker>) => number | undefined,
): Sample[] {
  return places.flatMap(place => {
    const value = of(place)
    return value === undefined ? [] : [{ labels: { worker: place.number }, value }]
  })
}

function latencyOf(labels: { worker: number; kind: string }, { sumUs, buckets }: Latency): HistogramSample {
  return { labels, bounds: LATENCY_BOUNDS, counts: buckets, sum: sumUs / US_PER_SECOND }
}
