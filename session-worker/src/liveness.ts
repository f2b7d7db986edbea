/**
 * Whether an initiator is still there, judged by its silence. [7143 §4.6.1]
 *
 * TCP's own keep-alive finds dead links. A ping (NOP-In) on top of it finds initiators whose link answers and which do not; only one
 * that has answered a ping before is judged by that, since some never learned to (iPXE, boot firmware).
 */

/** Silence after which the initiator is pinged, and again after as long. */
export const PING_AFTER_MS = 30_000
/** Silence after which one that answers pings counts as gone: two pings without an answer. */
export const GONE_AFTER_MS = 75_000

export class Liveness {
  /** The initiator has answered a ping. */
  answersPings = false
  #pingedMs = Number.NEGATIVE_INFINITY

  /** What to do at `nowMs` about an initiator that was last heard at `heardMs`. A ping is taken as sent. */
  check(nowMs: number, heardMs: number): 'nothing' | 'ping' | 'gone' {
    const silentMs = nowMs - heardMs
    if (silentMs >= GONE_AFTER_MS && this.answersPings) return 'gone'
    if (silentMs < PING_AFTER_MS || nowMs - this.#pingedMs < PING_AFTER_MS) return 'nothing'
    this.#pingedMs = nowMs
    return 'ping'
  }
}
