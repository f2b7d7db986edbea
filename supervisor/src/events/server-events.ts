/**
 * The server's events: what the log says from level info on, whatever its own level is, as values. The last ones are kept for who comes back after a
 * break; whoever watches is told of each as it happens; and they are counted, for metrics.
 *
 * Left out: events of HTTP requests, which would feed on themselves, and keeping events over a restart: the log does that.
 */
import { randomBytes } from 'node:crypto'

export type EventLevel = 'info' | 'warn' | 'error' | 'fatal'

/** What a line of the log says; `event` is its dotted name. */
export type EventFields = Readonly<Record<string, unknown>> & { readonly event: string }

export interface ServerEvent {
  /** From 1, in order. */
  readonly number: number
  /** RFC 3339, UTC. */
  readonly time: string
  readonly level: EventLevel
  readonly fields: EventFields
}

export type EventListener = (event: ServerEvent) => void

/** Events that are kept, half a kilobyte each. */
const KEPT = 1_000

export class ServerEvents {
  /** Names this process, so that numbers of an earlier one are not taken for its own. */
  readonly epoch = randomBytes(4).toString('hex')
  readonly #kept: ServerEvent[] = []
  readonly #listeners = new Set<EventListener>()
  #last = 0

  /** Takes a line of the log; those without `event`, and those of HTTP, are none of ours. */
  take(level: EventLevel, fields: unknown): void {
    if (!isEvent(fields) || fields.event.startsWith('http.')) return
    this.#last++
    const event = { number: this.#last, time: new Date().toISOString(), level, fields }
    this.#kept[this.#last % KEPT] = event
    for (const listener of this.#listeners) listener(event)
  }

  /** Calls the listener, which must not throw, with every event from now on. The value ends it. */
  listen(listener: EventListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The number of the last event, 0 when there was none. */
  get last(): number {
    return this.#last
  }

  /** What is kept of the events after that number, oldest first, and how many are lost. */
  after(number: number): { readonly events: readonly ServerEvent[]; readonly lost: number } {
    const first = Math.max(number, this.#last - KEPT) + 1
    const events: ServerEvent[] = []
    for (let next = first; next <= this.#last; next++) {
      const event = this.#kept[next % KEPT]
      if (event) events.push(event)
    }
    return { events, lost: Math.max(0, first - 1 - number) }
  }
}

function isEvent(fields: unknown): fields is EventFields {
  return typeof fields === 'object' && fields !== null && 'event' in fields && typeof fields.event === 'string'
}
