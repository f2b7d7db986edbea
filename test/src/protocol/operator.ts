// What the operator asks of a server, in suites that are about restarts and about what one sees.

import type { Server } from '../harness/server.js'

const TOKEN = 'an operator of the tests'.replaceAll(' ', '-')
/** Keys of the configuration that the operator's calls need. */
export const OPERATOR_CONFIG = { admin: { token: TOKEN } }

/** Calls `METHOD /api/admin/…`. */
export async function operator(
  server: Pick<Server, 'api'>,
  what: string,
  body?: object,
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it without ceremony
): Promise<{ status: number; body: any }> {
  const [method = '', path = ''] = what.split(' ')
  const response = await fetch(`${server.api}/api/admin${path}`, {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: await response.json() }
}

/** The metrics by their names, with the labels summed up: name → value. */
export async function metricsOf(server: Pick<Server, 'api'>): Promise<Map<string, number>> {
  const text = await (await fetch(`${server.api}/metrics`)).text()
  const sums = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, name = '', labels = '', value] = /^([a-z_]+)(\{.*\})? (\S+)$/.exec(line) ?? []
    if (name === '') continue
    // The direction of I/O is what the suites tell apart.
    const direction = /direction="([a-z]+)"/.exec(labels)?.[1]
    const key = direction === undefined ? name : `${name} ${direction}`
    sums.set(key, (sums.get(key) ?? 0) + Number(value))
  }
  return sums
}
