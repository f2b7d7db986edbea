/**
 * Everything that can be measured of the server, as families for Prometheus. Nothing is measured here: shared memory, counters and tables that exist anyway are
 * read when somebody asks. What the metrics mean, and which row of the failure table moves which of them, is in docs/operations.md.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import type { EventCounts } from './event-counts.js'
import { counter, type Family, gauge, type Sample } from './exposition.js'
import type { ServerFacts } from './server-facts.js'
import { ioFamilies, restartFamilies, workerFamilies } from './worker-families.js'

const NS_PER_SECOND = 1e9
const MS_PER_SECOND = 1e3
const US_PER_SECOND = 1e6
/** How often the supervisor's own loop is looked at; what the histogram holds has this too much. */
const RESOLUTION_MS = 20

const LEASE_STATES = ['provisioning', 'suspended', 'attached', 'evicting']

export class ServerMetrics {
  readonly #counts: EventCounts
  readonly #facts: () => Promise<ServerFacts>
  readonly #delay: IntervalHistogram

  constructor(counts: EventCounts, facts: () => Promise<ServerFacts>) {
    this.#counts = counts
    this.#facts = facts
    this.#delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
    this.#delay.enable()
  }

  close(): void {
    this.#delay.disable()
  }

  /** Everything as it is now. */
  async collect(): Promise<Family[]> {
    const facts = await this.#facts()
    const events = samplesOf(this.#counts.byName, 'event')
    return [
      ...this.#processFamilies(facts),
      ...workerFamilies(facts),
      ...ioFamilies(facts),
      ...this.#sessionFamilies(facts),
      ...restartFamilies(facts),
      ...this.#serviceFamilies(facts),
      counter('scsipub_events_total', 'Events of the log from level info on, by name', events),
    ]
  }

  #processFamilies({ startedAtMs, draining }: ServerFacts): Family[] {
    const { rss, heapUsed } = process.memoryUsage()
    const { user, system } = process.cpuUsage()
    const seconds = (ns: number) => Math.max(0, ns / NS_PER_SECOND - RESOLUTION_MS / MS_PER_SECOND) || 0
    const delays = [
      { labels: { of: 'p99' }, value: seconds(this.#delay.percentile(99)) },
      { labels: { of: 'max' }, value: seconds(this.#delay.max) },
    ]
    this.#delay.reset()
    return [
      gauge('process_start_time_seconds', 'Start of the server, in seconds since 1970', startedAtMs / MS_PER_SECOND),
      gauge('process_resident_memory_bytes', 'Resident memory of all threads, with the mapped bitmaps', rss),
      counter('process_cpu_seconds_total', 'Processor time of all threads', (user + system) / US_PER_SECOND),
      gauge('scsipub_supervisor_heap_bytes', 'Heap in use of the supervisor', heapUsed),
      gauge('scsipub_supervisor_loop_delay_seconds', 'How late its event loop was since the last look', delays),
      gauge('scsipub_draining', '1 while the server stops', draining ? 1 : 0),
    ]
  }

  #sessionFamilies({ sessions, connections }: ServerFacts): Family[] {
    const counts = this.#counts
    const accepted = [...counts.accepted].map(([kind, value]) => {
      return { labels: { outcome: 'accepted', kind, status: '0000' }, value }
    })
    const others = [...counts.refused].map(([status, value]) => {
      return { labels: { outcome: status.startsWith('01') ? 'redirected' : 'refused', kind: '', status }, value }
    })
    const failures = counts.of('session.failed')
    return [
      gauge('scsipub_sessions', 'iSCSI sessions that are logged in', sessions.all),
      gauge('scsipub_connections', 'TCP connections, with those that are about to log in', connections),
      counter('scsipub_logins_total', 'Logins by outcome and status of the Login Response', [...accepted, ...others]),
      counter(
        'scsipub_sessions_ended_total',
        'Sessions that have ended, by outcome',
        samplesOf(counts.ended, 'outcome'),
      ),
      counter('scsipub_session_failures_total', 'Connections that ended by a fault of ours', failures),
    ]
  }

  #serviceFamilies({ stateStoreUp, engineSeconds, leases, disk }: ServerFacts): Family[] {
    const counts = this.#counts
    const states = LEASE_STATES.map(state => ({ labels: { state }, value: leases.get(state) ?? 0 }))
    const outages = counts.of('state.unavailable')
    return [
      gauge('scsipub_state_store_up', '1 while the state store can be used', stateStoreUp ? 1 : 0),
      counter('scsipub_state_store_outages_total', 'How often it could not be used any more', outages),
      gauge('scsipub_engine_up', '1 when the storage engine answers', engineSeconds === undefined ? 0 : 1),
      gauge('scsipub_engine_answer_seconds', 'How long its answer took', engineSeconds ?? []),
      counter('scsipub_engine_died_total', 'How often it has ended by a fault', counts.of('engine.died')),
      counter('scsipub_engine_restarts_total', 'How often it was started again', counts.of('engine.restarted')),
      gauge('scsipub_leases', 'Leases by state', states),
      counter('scsipub_leases_warned_total', 'Leases whose end was announced', counts.of('lease.expiring')),
      counter('scsipub_leases_gone_total', 'Leases that were evicted or removed', counts.of('lease.gone')),
      gauge('scsipub_data_free_bytes', 'Free on the file system of the data directory', disk?.freeBytes ?? []),
      gauge('scsipub_data_size_bytes', 'Size of the file system of the data directory', disk?.sizeBytes ?? []),
    ]
  }
}

function samplesOf(counts: ReadonlyMap<string, number>, label: string): Sample[] {
  return [...counts].map(([name, value]) => ({ labels: { [label]: name }, value }))
}
