// What the suites of CHAP share: targets with their credentials, logins word by word, and the assertion that no secret is logged.

import { LoginTalk, Wire } from '@scsipub/testkit'
import type { Test } from 'tap'
import { iqn, type Server } from '../harness/server.js'
import { portal } from './lab.js'

export const USER = { user: 'lab-user', secret: 'correct horse bat' }
/** What the targets `both` prove themselves with. */
export const OWN = { user: 'the-target', secret: 'staple of battery' }
/** Takes SHA-2 and SHA-3 only. */
export const MODERN = { user: 'modern', secret: 'nothing but sha-2' }

const luns = [{ sizeBytes: 1 << 20 }]
export const TARGETS = [
  { name: 'oneway', auth: { chap: USER }, luns },
  { name: 'both', auth: { chap: { ...USER, mutual: OWN } }, luns },
  { name: 'modern', auth: { chap: { ...MODERN, algorithms: ['sha256', 'sha3-256'] } }, luns },
  { name: 'open', auth: 'none', luns },
]
export const ONE_WAY = iqn('oneway')
export const BOTH = iqn('both')

/** A login of the test's own, on a connection that ends with it. */
export async function talk<T>(server: Server, use: (login: LoginTalk) => Promise<T>): Promise<T> {
  const wire = await Wire.connect(portal(server))
  try {
    return await use(new LoginTalk(wire))
  } finally {
    await wire.end()
  }
}

/** No secret of these targets is in what the server has logged so far [7143 §9.2.1]. */
export function keepsSecrets(t: Test, server: Server): void {
  const text = JSON.stringify(server.log)
  const told = [USER, OWN, MODERN].filter(({ secret }) => text.includes(secret))
  t.same(told, [], 'no secret is in the log')
}
