// What is known of a session of a load when one of its connections ends: which connections it has, and whether it had anything under way then. Whether they might end is judged by that.

import type { Initiator } from '@scsipub/testkit'

/** Older turns have to do with nothing that is asked. */
const KEPT = 200

export class SessionWatch {
  readonly who: string
  readonly connections: readonly Initiator[]
  /** Of the connections, as the server sees them too; a socket that is closed has forgotten its own. */
  readonly ports: readonly number[]
  /** When it began to want something, and when it had it, in ms; the last ones. */
  readonly #turns: { readonly fromMs: number; untilMs: number }[] = []

  constructor(who: string, connections: readonly Initiator[]) {
    this.who = who
    this.connections = connections
    this.ports = connections.map(({ wire }) => wire.localPort)
  }

  get open(): boolean {
    return this.connections.every(({ wire }) => !wire.over)
  }

  /** It wants something of the server from now on; to be called again when all of it has been answered. */
  begin(): () => void {
    const turn = { fromMs: performance.now(), untilMs: Number.POSITIVE_INFINITY }
    this.#turns.push(turn)
    if (this.#turns.length > KEPT) this.#turns.shift()
    return () => {
      turn.untilMs = performance.now()
    }
  }

  /** Nothing was under way at any moment of that time. */
  restedDuring(fromMs: number, untilMs: number): boolean {
    return this.#turns.every(turn => turn.untilMs < fromMs || turn.fromMs > untilMs)
  }
}
