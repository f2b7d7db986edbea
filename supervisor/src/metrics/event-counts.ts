/**
 * The server's events as counters: how often each has happened, and of those that have an outcome, how often with which. Whatever the log tells of, metrics so
 * count too. Labels are words of our own, never those of strangers, and there is a bound on how many there are.
 */
import type { ServerEvent, ServerEvents } from '../events/server-events.js'

/** More names than the server has; what is beyond is counted together. */
const MAX_NAMES = 300
const OTHERS = 'other'

export class EventCounts {
  /** By name of the event. */
  readonly byName = new Map<string, number>()
  /** Logins that were let in: sessions that began, and connections that were added to one. */
  readonly accepted = new Map<string, number>()
  /** Logins that were not, by status of the Login Response: class and detail, hexadecimal [7143 §11.13.5]. */
  readonly refused = new Map<string, number>()
  /** Sessions that have ended, by outcome. */
  readonly ended = new Map<string, number>()

  /** Counts from now on. */
  constructor(events: ServerEvents) {
    events.listen(event => this.#count(event))
  }

  /** How often an event has happened. */
  of(name: string): number {
    return this.byName.get(name) ?? 0
  }

  #count({ fields }: ServerEvent): void {
    const { event } = fields
    raise(this.byName, event)
    if (event === 'session.opened') raise(this.accepted, fields['reinstated'] === true ? 'reinstated' : 'new')
    else if (event === 'connection.added') raise(this.accepted, 'connection')
    else if (event === 'login.refused' || event === 'login.redirected') raise(this.refused, String(fields['status']))
    else if (event === 'session.ended') raise(this.ended, String(fields['outcome']))
  }
}

function raise(counts: Map<string, number>, name: string): void {
  const known = counts.has(name) || counts.size < MAX_NAMES ? name : OTHERS
  counts.set(known, (counts.get(known) ?? 0) + 1)
}
