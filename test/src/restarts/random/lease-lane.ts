// A tenant of the HTTP API: leases a disk, uses it, has a LUN added and the disk grown, takes a snapshot, and gives everything back. Whatever is restarted, each call is answered as it has
// to be, though it may wait.

import { setTimeout } from 'node:timers/promises'
import { Initiator, type PortalAddress } from '@scsipub/testkit'
import { ready } from '../../chaos/kill/found-state.js'
import type { LeaseAnswer, Tenant } from '../../chaos/kill/tenant.js'
import { BLOCK, content } from '../../protocol/lab.js'
import type { Breaks } from './breaks.js'
import type { Lane } from './lane.js'
import { SessionWatch } from './session-watch.js'

const DISK_BYTES = 1 << 20
const BLOCKS = 64
const PAUSE_MS = 200
const NAME = 'passing-'
/** The one refusal that a sound server may give: nobody can make a disk faster. */
const NOT_NOW = /status 503, .*"code":"store-unavailable"/

export interface LeaseLaneOptions {
  readonly address: PortalAddress
  readonly tenant: Tenant
  readonly api: string
  readonly breaks: Breaks
}

export class LeaseLane implements Lane {
  readonly name = 'leases'
  /** Calls that were answered. */
  done = 0
  /** Calls that were told to come again since the disk below the state store took too long. */
  refused = 0
  readonly #options: LeaseLaneOptions
  #stopped = false

  constructor(options: LeaseLaneOptions) {
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
        await this.#round()
      } catch (error) {
        const { message, cause } = error as Error
        if (!NOT_NOW.test(message)) breaks.fail(new Error(`${this.name}: ${message}${cause ? ` (${cause})` : ''}`))
        this.refused++
      }
      await setTimeout(PAUSE_MS)
    }
    if (!breaks.fault) await this.#clear()
  }

  async #round(): Promise<void> {
    const wish = { name: `${NAME}${this.done}`, luns: [{ size_bytes: DISK_BYTES }] }
    const lease = await this.#ask<LeaseAnswer>('POST /api/sessions', 201, wish)
    const data = content(BLOCKS * BLOCK, this.done)
    await this.#use(lease, session => session.write(0, data))
    const path = `/api/sessions/${lease.id}`
    await this.#ask(`POST ${path}/luns`, 201, { size_bytes: DISK_BYTES })
    await this.#ask(`PATCH ${path}/luns/0`, 200, { size_bytes: 2 * DISK_BYTES })
    const { id } = await this.#ask<{ id: string }>(`POST ${path}/snapshot`, 201, {
      lun: 0,
      name: `snapshot-${this.done}`,
    })
    await this.#use(lease, async session => {
      if (!(await session.read(0, BLOCKS)).equals(data)) throw new Error('data differ')
    })
    await this.#ask(`DELETE ${path}`, 204)
    await this.#ask(`DELETE /api/images/${id}`, 204)
  }

  /** Takes away what calls that were not answered have left. */
  async #clear(): Promise<void> {
    const { tenant, api } = this.#options
    for (const { id, name } of await tenant.sessions(api))
      if (name?.startsWith(NAME)) await this.#ask(`DELETE /api/sessions/${id}`, 204)
    for (const { image } of await tenant.images(api)) await this.#ask(`DELETE /api/images/${image}`, 204)
  }

  async #ask<T>(what: string, status: number, body?: object): Promise<T> {
    const answer = await this.#options.tenant.ask<T>(this.#options.api, what, status, body)
    this.done++
    return answer
  }

  /** In a session of its own, again in another one when it has lost that. */
  async #use(
    { iqn: target, chap_user: user, chap_secret: secret }: LeaseAnswer,
    act: (session: Initiator) => Promise<void>,
  ): Promise<void> {
    const { address, breaks } = this.#options
    for (;;) {
      let watch: SessionWatch | undefined
      try {
        const session = await Initiator.login(address, { target, chap: { user, secret } })
        watch = new SessionWatch(this.name, [session])
        watch.begin()
        await ready(session, 0)
        await act(session)
        await session.logout()
        return await session.close()
      } catch (error) {
        breaks.note(this.name, error, watch && [watch])
        for (const session of watch?.connections ?? []) await session.close('reset')
        if (breaks.fault || this.#stopped) return
        await setTimeout(PAUSE_MS)
      }
    }
  }
}
