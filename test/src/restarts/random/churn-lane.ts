// Sessions that come and go: disks of their own, which are blank at first, and discoveries. Whatever is restarted, a login is answered, and takes no longer than an initiator waits.

import { setTimeout } from 'node:timers/promises'
import { Initiator, type PortalAddress } from '@scsipub/testkit'
import { BLANK, BLOCK, content } from '../../protocol/lab.js'
import type { Breaks } from './breaks.js'
import type { Lane } from './lane.js'

const BLOCKS = 64
const PAUSE_MS = 30

export class ChurnLane implements Lane {
  readonly name = 'logins'
  done = 0
  readonly #options: { address: PortalAddress; breaks: Breaks }
  #stopped = false

  constructor(options: { address: PortalAddress; breaks: Breaks }) {
    this.#options = options
  }

  stop(): void {
    this.#stopped = true
  }

  async run(): Promise<void> {
    this.#stopped = false
    const { breaks } = this.#options
    while (!this.#stopped && !breaks.fault) {
      try {
        await (this.done % 3 === 2 ? this.#discover() : this.#use())
        this.done++
      } catch (error) {
        if (error instanceof RangeError) breaks.fail(error)
        breaks.note(this.name, error)
      }
      await setTimeout(PAUSE_MS)
    }
  }

  async #discover(): Promise<void> {
    await this.#with(await Initiator.login(this.#options.address), async session => {
      const { pairs } = await session.text({ SendTargets: 'All' })
      const found = JSON.stringify(pairs)
      if (!found.includes(BLANK)) throw new RangeError(`${this.name}: a discovery has found ${found}`)
    })
  }

  async #use(): Promise<void> {
    await this.#with(await Initiator.login(this.#options.address, { target: BLANK }), async disk => {
      if (!(await disk.read(0, BLOCKS)).every(byte => byte === 0))
        throw new RangeError(`${this.name}: a new disk is not blank`)
      const data = content(BLOCKS * BLOCK, this.done + 1)
      await disk.write(0, data)
      if (!(await disk.read(0, BLOCKS)).equals(data)) throw new RangeError(`${this.name}: data differ`)
    })
  }

  async #with(session: Initiator, use: (session: Initiator) => Promise<void>): Promise<void> {
    try {
      await use(session)
      await session.logout()
    } finally {
      await session.close()
    }
  }
}
