/**
 * Lets requests in, or makes them wait. While the server is handed over to another process, no call may change anything in this one: those that are under way end,
 * those that come wait. If this process goes on, they go on too; if the other one does, that one answers them, see `forward.ts`.
 */
import type { ForwardTo } from './forward.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its requests are let in at all times and not waited for: the one that asked for the upgrade, and streams. */
    outlastsHandOver?: boolean
    /** Answered while the server stops, too: it changes nothing, and says how it is. */
    servedWhileStopping?: boolean
  }
}

export class RequestGate {
  /** The server stops: what changes anything is refused from now on. */
  stopping = false
  #underWay = 0
  #quiet: (() => void) | undefined
  #held: { readonly over: Promise<ForwardTo | undefined>; settle(to: ForwardTo | undefined): void } | undefined

  /** A request wants to begin; `over` it calls once when it has ended, in whatever way. The value says who else answers it. */
  async enter(over: (left: () => void) => void): Promise<ForwardTo | undefined> {
    const to = await this.#held?.over
    if (to) return to
    this.#underWay++
    over(() => {
      this.#underWay--
      if (this.#underWay === 0) this.#quiet?.()
    })
    return undefined
  }

  /** Lets nobody in; resolves when nobody is inside, or after `limitMs`. */
  async hold(limitMs: number): Promise<void> {
    let settle: (to: ForwardTo | undefined) => void = () => {}
    const over = new Promise<ForwardTo | undefined>(resolve => {
      settle = resolve
    })
    this.#held = { over, settle }
    if (this.#underWay === 0) return
    await new Promise<void>(resolve => {
      const limit = setTimeout(resolve, limitMs)
      this.#quiet = () => {
        clearTimeout(limit)
        resolve()
      }
    })
    this.#quiet = undefined
  }

  /** Lets in who waits, and everybody. */
  release(): void {
    const held = this.#held
    this.#held = undefined
    held?.settle(undefined)
  }

  /** Sends who waits, and everybody, elsewhere. */
  forward(to: ForwardTo): void {
    this.#held?.settle(to)
  }
}
