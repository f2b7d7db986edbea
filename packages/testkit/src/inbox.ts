// PDUs that came and were not asked for yet, and askers whose PDU has not come yet. Every wait has an end: the PDU, the end
// of the connection, or a deadline that says what it waited for.

import { describe, type ReceivedPdu } from './received-pdu.js'

/** Enough for a busy machine; a test that expects nothing to come gives a shorter one. */
const DEFAULT_DEADLINE_MS = 60_000

export interface Wanted {
  /** For the message, when it does not come. */
  readonly what: string
  readonly matches: (pdu: ReceivedPdu) => boolean
  readonly deadlineMs?: number
}

interface Waiting {
  readonly matches: (pdu: ReceivedPdu) => boolean
  resolve(pdu: ReceivedPdu): void
  reject(error: Error): void
}

export class Inbox {
  #unread: ReceivedPdu[] = []
  #waiting: Waiting[] = []
  #end: Error | undefined

  /** PDUs that nobody took. */
  get unread(): readonly ReceivedPdu[] {
    return this.#unread
  }

  /** Gives the PDU to the first who waits for it, or keeps it unless told otherwise. */
  deliver(pdu: ReceivedPdu, { keep = true }: { keep?: boolean } = {}): void {
    const index = this.#waiting.findIndex(waiting => waiting.matches(pdu))
    if (index >= 0) this.#waiting.splice(index, 1)[0]!.resolve(pdu)
    else if (keep) this.#unread.push(pdu)
  }

  /** The first PDU that matches, now or later; PDUs that do not match stay. */
  take({ what, matches, deadlineMs = DEFAULT_DEADLINE_MS }: Wanted): Promise<ReceivedPdu> {
    const index = this.#unread.findIndex(matches)
    if (index >= 0) return Promise.resolve(this.#unread.splice(index, 1)[0]!)
    if (this.#end) return Promise.reject(new Error(`no ${what}: ${this.#end.message}`))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter(one => one !== waiting)
        const unread = this.#unread.map(describe).join('; ') || 'nothing'
        reject(new Error(`no ${what} within ${deadlineMs} ms; unread: ${unread}`))
      }, deadlineMs)
      const waiting: Waiting = {
        matches,
        resolve: pdu => {
          clearTimeout(timer)
          resolve(pdu)
        },
        reject: error => {
          clearTimeout(timer)
          reject(new Error(`no ${what}: ${error.message}`))
        },
      }
      this.#waiting.push(waiting)
    })
  }

  /** Nothing more will come; who waits is told why. */
  close(why: Error): void {
    this.#end ??= why
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#end)
  }
}
