// What the suites of leases share: an account, sessions of the HTTP API as whoever has its key asks for them, and logins to them.

import { Initiator, type LoginOptions } from '@scsipub/testkit'
import type { LogLine, Server } from '../harness/server.js'
import { portal } from './lab.js'

const TOKEN = 'an administrator of the tests'.replaceAll(' ', '-')
/** Keys of the configuration that leases need. */
export const LEASE_CONFIG = { admin: { token: TOKEN } }
export const MIB = 1 << 20

/** A session as the API shows it. */
export interface Leased {
  readonly id: string
  readonly iqn: string
  readonly chap_user: string
  readonly chap_secret: string
  readonly state: string
  readonly luns: readonly { readonly lun: number; readonly size_bytes: number }[]
  readonly attached_sessions: number
}

export interface Answer<T> {
  readonly status: number
  readonly body: T
}

/** Asks the API. */
async function call<T>(server: Pick<Server, 'api'>, token: string, what: string, body?: object): Promise<Answer<T>> {
  const [method = '', path = ''] = what.split(' ')
  const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) }
  const response = await fetch(`${server.api}${path}`, {
    method,
    headers,
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as T }
}

/** What one account asks of the API. */
export class Tenant {
  readonly #key: string

  private constructor(key: string) {
    this.#key = key
  }

  /** Makes an account; `token`: the administrator's. */
  static async make(server: Pick<Server, 'api'>, token = TOKEN): Promise<Tenant> {
    const made = await call<{ api_key: string }>(server, token, 'POST /api/admin/accounts', {
      name: 'tests',
      tier: 'paid',
    })
    if (made.status !== 201) throw new Error(`no account: ${JSON.stringify(made)}`)
    return new Tenant(made.body.api_key)
  }

  ask<T>(server: Pick<Server, 'api'>, what: string, body?: object): Promise<Answer<T>> {
    return call(server, this.#key, what, body)
  }

  /** A new lease: one blank LUN of 1 MiB unless told. */
  async lease(server: Pick<Server, 'api'>, body: object = { luns: [{ size_bytes: MIB }] }): Promise<Leased> {
    const made = await this.ask<Leased>(server, 'POST /api/sessions', body)
    if (made.status !== 201) throw new Error(`no session: ${JSON.stringify(made)}`)
    return made.body
  }

  async show(server: Pick<Server, 'api'>, { id }: Pick<Leased, 'id'>): Promise<Leased | undefined> {
    const { status, body } = await this.ask<Leased>(server, `GET /api/sessions/${id}`)
    return status === 200 ? body : undefined
  }
}

/** How to log in to a lease. */
export function loginTo(lease: Leased, more: LoginOptions = {}): LoginOptions {
  return { target: lease.iqn, chap: { user: lease.chap_user, secret: lease.chap_secret }, ...more }
}

/** Logs in to a lease; the caller closes it. */
export function logIn(server: Pick<Server, 'port'>, lease: Leased, more: LoginOptions = {}): Promise<Initiator> {
  return Initiator.login(portal(server), loginTo(lease, more))
}

/** Lines of the log with that event. */
export function logged(server: Server, event: string): LogLine[] {
  return server.log.filter(line => line.event === event)
}
