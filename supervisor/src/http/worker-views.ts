/** The server and its session workers as `GET /api/admin/workers` shows them. Counts are since the start of the server; who wants rates asks twice. */
import { type Static, Type } from 'typebox'
import type { ServerFacts } from '../metrics/server-facts.js'
import type { Place, RosterWorker } from '../restarts/worker-roster.js'
import { Moment, record } from './schemas.js'

const Count = Type.Integer()
const LatencyView = record(
  {
    sum_us: Type.Number(),
    buckets: Type.Array(Count, { description: 'index n: from 2^n to 2^(n+1) µs' }),
  },
  { description: 'from a command to its status, of every 16th command' },
)
const WorkerView = record({
  worker: Type.Integer({ description: 'its number, which stays over restarts' }),
  state: Type.Unsafe<'serving' | 'restarting' | 'starting'>({
    type: 'string',
    enum: ['serving', 'restarting', 'starting'],
    description: 'restarting: its sessions are on their way to the next one; starting: nobody is there yet',
  }),
  since: Type.Optional(Moment),
  sessions: Count,
  connections: Count,
  heap_bytes: Count,
  external_bytes: Type.Integer({ description: 'buffers' }),
  loop_delay_ms: record(
    { mean: Type.Number(), p99: Type.Number(), max: Type.Number() },
    { description: 'how late it was in its last second' },
  ),
  replaced: Type.Integer({ description: 'workers of this number that were replaced as planned' }),
  died: Type.Integer({ description: 'workers of this number that died' }),
  commands: Count,
  reads: Count,
  read_bytes: Count,
  writes: Count,
  write_bytes: Count,
  latency: record({ read: LatencyView, write: LatencyView, other: LatencyView }),
})
export const OverviewSchema = record({
  started_at: Moment,
  draining: Type.Boolean(),
  sessions: Type.Integer({ description: 'iSCSI sessions that are logged in' }),
  connections: Count,
  state_store_up: Type.Boolean(),
  restart: Type.Optional(
    Type.Array(Type.Integer(), { description: 'workers that are being restarted, the one under way first' }),
  ),
  restarts: record({ workers: Count, failed: Count, moved: Count, dropped: Count }),
  workers: Type.Array(WorkerView),
})
export type Overview = Static<typeof OverviewSchema>

type OverviewFacts = Omit<ServerFacts, 'engineSeconds' | 'disk' | 'leases'> & {
  readonly running: readonly number[] | undefined
}

export function overviewOf(facts: OverviewFacts): Overview {
  const { startedAtMs, draining, sessions, connections, stateStoreUp, running, restarts, places } = facts
  const { asked, memory, schedule } = restarts.workers
  return {
    started_at: new Date(startedAtMs).toISOString(),
    draining,
    sessions: sessions.all,
    connections,
    state_store_up: stateStoreUp,
    ...(running && { restart: [...running] }),
    restarts: {
      workers: asked + memory + schedule,
      failed: restarts.failed,
      moved: restarts.moved,
      dropped: restarts.dropped,
    },
    workers: places.map(place => workerView(place, sessions.byThread)),
  }
}

function workerView(place: Place<RosterWorker>, sessions: ReadonlyMap<number, number>): Overview['workers'][number] {
  const { worker, since, health, counts } = place
  return {
    worker: place.number,
    state: worker === undefined ? 'starting' : worker.retiring ? 'restarting' : 'serving',
    ...(since !== undefined && { since: new Date(since).toISOString() }),
    sessions: worker === undefined ? 0 : (sessions.get(worker.threadId) ?? 0),
    connections: worker?.connections ?? 0,
    heap_bytes: health?.heapBytes ?? 0,
    external_bytes: health?.externalBytes ?? 0,
    loop_delay_ms: { mean: health?.delayMean ?? 0, p99: health?.delayP99 ?? 0, max: health?.delayMax ?? 0 },
    replaced: place.replaced,
    died: place.died,
    commands: counts.commands,
    reads: counts.reads,
    read_bytes: counts.readBytes,
    writes: counts.writes,
    write_bytes: counts.writeBytes,
    latency: {
      read: latencyView(counts.latency.read),
      write: latencyView(counts.latency.write),
      other: latencyView(counts.latency.other),
    },
  }
}

function latencyView({ sumUs, buckets }: { readonly sumUs: number; readonly buckets: readonly number[] }) {
  return { sum_us: sumUs, buckets: [...buckets] }
}
