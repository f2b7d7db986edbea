/**
 * Restarts a worker whose memory stays over a limit, long before V8 would end it. Memory is its heap and its buffers; what the process has mapped
 * is no worker's.
 *
 * A look is not enough, since garbage counts until it is collected. A worker that is over the limit with what its sessions need would be restarted for ever: after
 * each restart its number is left alone, for longer each time, and the log says what to do.
 */
import type { Log } from '../log.js'
import type { RestartReport } from './restarts.js'
import type { Place, RosterWorker } from './worker-roster.js'

const LOOK_MS = 2_000
/** Looks in a row that find a worker over the limit. */
const LOOKS = 5
/** For how long a number is left alone after a restart; twice as long after each further one, up to the longest. */
const REST_MS = 60_000
const LONGEST_REST_MS = 3_600_000
/** A worker that was that long without needing a restart is as good as new. */
const FORGET_MS = 4 * LONGEST_REST_MS

export interface MemoryWatchParts {
  readonly places: () => readonly Place<RosterWorker>[]
  readonly restart: (number: number) => Promise<RestartReport>
  /** Heap and buffers of one worker, in bytes. */
  readonly limitBytes: number
  readonly log: Pick<Log, 'warn'>
  readonly now?: () => number
}

interface Record {
  over: number
  restarts: number
  restartedAt: number
}

export class MemoryWatch {
  readonly #parts: MemoryWatchParts
  readonly #now: () => number
  readonly #records = new Map<number, Record>()
  #timer: NodeJS.Timeout | undefined

  constructor(parts: MemoryWatchParts) {
    this.#parts = parts
    this.#now = parts.now ?? (() => performance.now())
  }

  /** Looks from now on, unless there is no limit. */
  start(): void {
    if (this.#parts.limitBytes > 0) this.#timer = setInterval(() => void this.look(), LOOK_MS).unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** Looks once; settles when the restarts that come of it are over. */
  async look(): Promise<void> {
    for (const { number, health } of this.#parts.places()) {
      const bytes = health ? health.heapBytes + health.externalBytes : 0
      const record = this.#records.get(number) ?? { over: 0, restarts: 0, restartedAt: Number.NEGATIVE_INFINITY }
      this.#records.set(number, record)
      record.over = bytes > this.#parts.limitBytes ? record.over + 1 : 0
      if (record.over >= LOOKS && this.#hasRested(record)) await this.#restart(number, bytes, record)
    }
  }

  #hasRested({ restarts, restartedAt }: Record): boolean {
    const rest = restarts === 0 ? 0 : Math.min(LONGEST_REST_MS, REST_MS * 2 ** (restarts - 1))
    return this.#now() - restartedAt >= rest
  }

  async #restart(number: number, bytes: number, record: Record): Promise<void> {
    const { log, limitBytes, restart } = this.#parts
    if (this.#now() - record.restartedAt > FORGET_MS) record.restarts = 0
    const again = record.restarts > 0
    log.warn({
      event: 'worker.memory',
      worker: number,
      bytes,
      limitBytes,
      ...(again && { hint: 'a restart did not help for long; raise restarts.memoryBytes, or have more workers' }),
    })
    record.over = 0
    record.restarts++
    record.restartedAt = this.#now()
    await restart(number).catch(() => {}) // the log has it
  }
}
