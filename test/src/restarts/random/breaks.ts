// When connections may end: only where the table of failures says so [DESIGN §4], that is to say when their session worker has died, and they had something under way. Which connections
// a worker had it says itself in its last moment (`fault-threads.ts`), so that the judgement does not rely on what the server tells. Whoever loses a connection says so here.

import { setTimeout } from 'node:timers/promises'
import type { OrderAnswer } from './fault-order.js'
import type { SessionWatch } from './session-watch.js'

/** The end of a connection, or a login that fails, may be noticed so much later, on a busy machine. */
const AFTERMATH_MS = 8_000
/** A session that has been silent for so long before its worker dies is at rest. */
const REST_MS = 1_000
/** How it is told of an answer that came and is wrong: of a command, of a sequence of PDUs, of the rules of reservations. It is never allowed. */
const WRONG_ANSWER = /ended with|\[7143|; expected/

/** What had happened when it was noticed. */
export interface Break {
  readonly who: string
  readonly why: string
}

/** A session worker has died: the client's ports of the connections that it had. */
interface Death {
  readonly ports: ReadonlySet<number>
  readonly fromMs: number
  /** When another worker was there; infinite until then. */
  untilMs: number
  /** Sessions at rest may have been lost, too: they were on their way elsewhere. */
  readonly harsh: boolean
}

export class Breaks {
  readonly allowed: Break[] = []
  /** Sessions of dead workers: those whose connections were all there afterwards, and those that had lost one. */
  wentOn = 0
  lost = 0
  /** First fault of the run. */
  readonly failed: Promise<never>
  readonly #deaths: Death[] = []
  readonly #watched = new Set<SessionWatch>()
  #fail!: (error: Error) => void
  /** A worker that is to die is being told so. */
  #telling: Promise<unknown> = Promise.resolve()
  #allowedUntil = 0
  #open = 0
  #hushed = 0
  #fault: Error | undefined

  constructor() {
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject
    })
    this.failed.catch(() => {}) // whoever races with it is told
  }

  get fault(): Error | undefined {
    return this.#fault
  }

  /** Whether some connections may end now. */
  get open(): boolean {
    return this.#open > 0 || performance.now() < this.#allowedUntil
  }

  /** A worker is about to die: who is at rest should stay so. */
  get hushed(): boolean {
    return this.#hushed > 0
  }

  /** From now on it is seen what becomes of the session. */
  watch(session: SessionWatch): void {
    this.#watched.add(session)
  }

  unwatch(session: SessionWatch): void {
    this.#watched.delete(session)
  }

  /** Has a worker die by `order`, which gives what it has said last, while others are silent. `untilBack` settles when another one is there. `harsh`: sessions are on their way at that moment. */
  async death(
    order: () => Promise<OrderAnswer>,
    untilBack: (answer: OrderAnswer) => Promise<void>,
    { harsh = false } = {},
  ): Promise<OrderAnswer> {
    this.#open++
    this.#hushed++
    try {
      await setTimeout(1.5 * REST_MS)
      const fromMs = performance.now()
      const telling = order()
      this.#telling = telling.catch(() => {})
      const answer = await telling
      const death: Death = { ports: new Set(answer.ports), fromMs, untilMs: Number.POSITIVE_INFINITY, harsh }
      this.#deaths.push(death)
      const there = [...this.#watched].filter(session => reached(death, session.ports))
      await untilBack(answer)
      death.untilMs = performance.now()
      for (const session of there) session.open ? this.wentOn++ : this.lost++
      return answer
    } finally {
      this.#hushed--
      this.#open--
      this.#allowedUntil = performance.now() + AFTERMATH_MS
    }
  }

  /** Something that `who` had was lost, or could not be had. A fault, unless it may be: for one of these sessions, or without them for anybody. */
  note(who: string, error: unknown, sessions?: readonly SessionWatch[]): void {
    const why = error instanceof Error ? error.message : String(error)
    const atMs = performance.now()
    const { open } = this
    void this.#telling.then(() => {
      const fault = WRONG_ANSWER.test(why) ? '' : sessions ? this.#judge(sessions, atMs) : open ? undefined : ''
      if (fault === undefined) this.allowed.push({ who, why })
      else this.fail(new Error(`${who}: ${why}${fault}`))
    })
  }

  /** Whether a connection with that client's port was in a worker that has died. */
  wasInDeadWorker(port: number): boolean {
    return this.#deaths.some(({ ports }) => ports.has(port))
  }

  /** The run has failed. */
  fail(error: Error): void {
    this.#fault ??= error
    this.#fail(error)
  }

  /** Why none of the sessions might lose a connection at that moment; undefined when one might. */
  #judge(sessions: readonly SessionWatch[], atMs: number): string | undefined {
    const death = this.#deaths.findLast(({ ports, untilMs }) => {
      const inTime = atMs < untilMs + AFTERMATH_MS
      return inTime && sessions.some(session => session.ports.some(port => ports.has(port)))
    })
    if (!death) return ' (in no worker that has died)'
    const concerned = sessions.filter(session => reached(death, session.ports))
    const rested = ({ fromMs, untilMs, harsh }: Death, session: SessionWatch) =>
      !harsh && session.restedDuring(fromMs - REST_MS, Math.min(atMs, untilMs))
    return concerned.every(session => rested(death, session)) ? ' (it was at rest when its worker died)' : undefined
  }
}

function reached({ ports }: Death, own: readonly number[]): boolean {
  return own.some(port => ports.has(port))
}
