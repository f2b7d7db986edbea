/**
 * Tells the service manager that the server is alive, as long as it is: this thread's event loop runs, and what `isWell` looks at answers. When that ends, nothing is
 * told, and the manager ends and restarts the service after `WATCHDOG_USEC` [sd_watchdog_enabled(3)].
 */

/** Signs of life in each period of the manager: one may come late, and another be lost. */
const SIGNS_PER_PERIOD = 3
const MAX_PERIOD_MS = 2 ** 31 - 1

export interface WatchdogParts {
  /** Resolves true when all is well; anything else, also that it never settles, is no sign of life. */
  readonly isWell: () => Promise<boolean>
  readonly alive: () => void
}

export class Watchdog {
  readonly #parts: WatchdogParts
  readonly #timer: NodeJS.Timeout
  #asking = false

  /** Begins at once. `periodMs`: how long the manager waits for a sign. */
  constructor(periodMs: number, parts: WatchdogParts) {
    this.#parts = parts
    this.#timer = setInterval(() => void this.#look(), Math.max(1, Math.floor(periodMs / SIGNS_PER_PERIOD)))
    this.#timer.unref()
    void this.#look()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** One look at a time: one that never ends leaves the server without a sign of life. */
  async #look(): Promise<void> {
    if (this.#asking) return
    this.#asking = true
    try {
      if (await this.#parts.isWell()) this.#parts.alive()
    } catch {
      // Whoever failed has said so; here it is only no sign of life.
    } finally {
      this.#asking = false
    }
  }
}

/** The manager's period in milliseconds; undefined when it does not watch this process. */
export function watchdogPeriodMs(env: NodeJS.ProcessEnv, pid = process.pid): number | undefined {
  const microseconds = Number(env['WATCHDOG_USEC'])
  if (!Number.isSafeInteger(microseconds) || microseconds <= 0) return undefined
  if (env['WATCHDOG_PID'] !== undefined && Number(env['WATCHDOG_PID']) !== pid) return undefined
  return Math.min(microseconds / 1000, MAX_PERIOD_MS)
}
