/**
 * Restarts all workers by the clock: every so many hours, or once a day at a time of the day. The time is local, as operators write it in a crontab; on a day whose clock
 * jumps over it, it is the moment after the jump. One that falls due while another restart is under way is left out.
 */
import { Deadlines } from '../leases/deadlines.js'

export interface ScheduleOptions {
  readonly everyHours?: number
  /** `HH:MM` */
  readonly at?: string
}

const HOUR_MS = 3_600_000
const KEY = 'restart'

/** When the next restart is due after `after`, both in milliseconds since 1970; undefined when none ever is. */
export function nextRestart({ everyHours, at }: ScheduleOptions, after: number): number | undefined {
  if (everyHours !== undefined) return after + everyHours * HOUR_MS
  if (at === undefined) return undefined
  const [hours = 0, minutes = 0] = at.split(':').map(Number)
  const due = new Date(after)
  due.setHours(hours, minutes, 0, 0)
  if (due.getTime() <= after) {
    due.setDate(due.getDate() + 1)
    due.setHours(hours, minutes, 0, 0)
  }
  return due.getTime()
}

export class RestartSchedule {
  readonly #options: ScheduleOptions
  readonly #now: () => number
  readonly #deadlines: Deadlines
  readonly #restart: () => Promise<unknown>

  /** `restart` is called whenever one is due. */
  constructor(options: ScheduleOptions, restart: () => Promise<unknown>, now: () => number = Date.now) {
    this.#options = options
    this.#restart = restart
    this.#now = now
    this.#deadlines = new Deadlines(() => this.#ring(), now)
    this.#arm()
  }

  close(): void {
    this.#deadlines.close()
  }

  #ring(): void {
    this.#arm()
    this.#restart().catch(() => {}) // the log has it
  }

  #arm(): void {
    const due = nextRestart(this.#options, this.#now())
    if (due !== undefined) this.#deadlines.set(KEY, due)
  }
}
