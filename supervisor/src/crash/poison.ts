/**
 * Nexuses whose sessions have met with faults of ours too often: an actor that throws, a worker that dies over what was asked. Whoever repeats the command that does it
 * would end one worker after another, so that its logins are refused for a while, and it alone suffers.
 *
 * A nexus is known by what the registry knows it by, the principal included, so that nobody is refused for what a stranger did in its name. Left out: who does it before
 * the login; the intensity of the worker's deaths bounds that.
 */
import { Intensity, type IntensityLimits } from './intensity.js'

export interface PoisonLimits extends IntensityLimits {
  /** How long logins are refused then. */
  readonly refusedMs: number
}

const LIMITS: PoisonLimits = { times: 2, withinMs: 60_000, refusedMs: 60_000 }
/** So many nexuses are kept an eye on; who comes beyond takes the place of the oldest. */
const MAX_KNOWN = 10_000

/** A nexus that is known, for another process of the server; plain data. Times in ms. */
export interface PoisonEstate {
  readonly nexus: string
  /** How long ago each fault was. */
  readonly agesMs: readonly number[]
  /** For so long its logins are refused still. */
  readonly refusedMs: number
}

interface Record {
  readonly intensity: Intensity
  refusedUntilMs: number
}

export class Poison {
  readonly #limits: PoisonLimits
  readonly #now: () => number
  readonly #known = new Map<string, Record>()

  constructor(limits: PoisonLimits = LIMITS, now: () => number = () => performance.now()) {
    this.#limits = limits
    this.#now = now
  }

  /** Nexuses of which something is known. */
  get size(): number {
    return this.#known.size
  }

  /** The session of that nexus has met with a fault; whether that was once too often. */
  strike(nexus: string): boolean {
    this.#tidy()
    const record = this.#known.get(nexus) ?? {
      intensity: new Intensity(this.#limits, this.#now),
      refusedUntilMs: Number.NEGATIVE_INFINITY,
    }
    this.#known.set(nexus, record)
    if (!record.intensity.strike()) return false
    record.refusedUntilMs = this.#now() + this.#limits.refusedMs
    return true
  }

  /** Whether logins of that nexus are refused at the moment. */
  refuses(nexus: string): boolean {
    const record = this.#known.get(nexus)
    return record !== undefined && this.#now() < record.refusedUntilMs
  }

  /** What another process goes on with, the oldest first. */
  export(): PoisonEstate[] {
    const now = this.#now()
    return [...this.#known].map(([nexus, { intensity, refusedUntilMs }]) => {
      return { nexus, agesMs: intensity.agesMs, refusedMs: Math.max(0, refusedUntilMs - now) }
    })
  }

  /** Goes on with what another process knows. */
  import(known: readonly PoisonEstate[]): void {
    const now = this.#now()
    for (const { nexus, agesMs, refusedMs } of known)
      this.#known.set(nexus, {
        intensity: new Intensity(this.#limits, this.#now, agesMs),
        refusedUntilMs: refusedMs > 0 ? now + refusedMs : Number.NEGATIVE_INFINITY,
      })
  }

  #tidy(): void {
    for (const [nexus, { intensity, refusedUntilMs }] of this.#known) {
      if (this.#known.size < MAX_KNOWN && !(intensity.isOver && this.#now() >= refusedUntilMs)) return
      this.#known.delete(nexus)
    }
  }
}
