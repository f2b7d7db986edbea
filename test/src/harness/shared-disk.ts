// A disk that several machines may log in to, with a password: leased over the HTTP API, as a user does.

import type { Server } from './server.js'

export interface SharedDisk {
  readonly iqn: string
  readonly user: string
  readonly secret: string
}

/** For the key `admin` of the configuration: without it nobody can make accounts. */
export const ADMIN = { token: 'a-token-that-nobody-guesses' }

/**
 * Makes an account, and leases a blank disk for it. The server's configuration has `ADMIN`.
 * @throws Error with what the server answered, unless it has made them
 */
export async function leaseDisk(server: Server, sizeBytes: number): Promise<SharedDisk> {
  const account = await post<{ api_key: string }>(server, '/api/admin/accounts', ADMIN.token, { name: 'cluster' })
  const luns = [{ image: 'blank', size_bytes: sizeBytes }]
  const lease = await post<{ iqn: string; chap_user: string; chap_secret: string }>(
    server,
    '/api/sessions',
    account.api_key,
    { luns },
  )
  return { iqn: lease.iqn, user: lease.chap_user, secret: lease.chap_secret }
}

async function post<T>(server: Server, path: string, token: string, body: object): Promise<T> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const response = await fetch(`${server.api}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  const text = await response.text()
  if (response.status !== 201) throw new Error(`POST ${path}: ${response.status} ${text}`)
  return JSON.parse(text) as T
}
