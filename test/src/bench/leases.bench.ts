// What leases cost that nobody uses: the start of a server that has ten thousand of them, and its memory: `npm run bench -- leases`. One is made over
// HTTP, the others are copies of it under other names: record, ledger, and the files of the volume.

import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDamaged, openState, type StateStore } from '@scsipub/state'
import type { Options } from './options.js'
import { inMemory } from './scratch.js'
import { Scsipub } from './scsipub.js'
import { settledKib, verdict } from './sessions.bench.js'
import { median } from './statistics.js'
import { thousands } from './table.js'

const LEASES = 10_000
/** Copies that are written together. */
const AT_ONCE = 25
const MAX_START_MS = 5000
const MAX_KIB = 200 * 1024
const FILES_BYTES = 2 ** 31
const TOKEN = 'benchmark-administrator'
const config = { admin: { token: TOKEN } }
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

export async function benchLeases({ extent }: Options): Promise<void> {
  await inMemory(FILES_BYTES, async folder => {
    const id = await makeOne(folder)
    await multiply(folder, id)
    const starts: number[] = []
    const sizes: number[] = []
    for (let round = 0; round < extent.rounds; round++) {
      const began = performance.now()
      const server = await Scsipub.start(folder, {}, config)
      starts.push(performance.now() - began)
      sizes.push(await settledKib(server.pid)) // before the long list, which leaves its garbage
      const sessions = (await ask<{ sessions: unknown[] }>(server, 'GET', '/api/admin/sessions', TOKEN)).sessions.length
      if (sessions !== LEASES) throw new Error(`the server knows ${sessions} leases instead of ${LEASES}`)
      await server.stop()
    }
    const [start, size] = [median(starts), median(sizes)]
    console.log(
      `${thousands(LEASES)} suspended leases, in the embedded store: ${starts.map(thousands).join(' ')} ms to start`,
    )
    console.log(`  ${thousands(start)} ms, goal at most ${thousands(MAX_START_MS)}: ${verdict(start <= MAX_START_MS)}`)
    console.log(`  ${thousands(size)} KiB resident, goal at most ${thousands(MAX_KIB)}: ${verdict(size <= MAX_KIB)}`)
  })
}

/** A lease as a client makes it; the value is its id. */
async function makeOne(folder: string): Promise<string> {
  const server = await Scsipub.start(folder, {}, config)
  try {
    const account = { name: 'bench', tier: 'paid' }
    const { api_key } = await ask<{ api_key: string }>(server, 'POST', '/api/admin/accounts', TOKEN, account)
    return (await ask<{ id: string }>(server, 'POST', '/api/sessions', api_key, { size_bytes: 2 ** 20 })).id
  } finally {
    await server.stop()
  }
}

async function multiply(folder: string, id: string): Promise<void> {
  const store = await openState({ path: join(folder, 'state') })
  try {
    const entry = await store.get('leases', id)
    if (!entry || isDamaged(entry)) throw new Error(`there is no record of lease ${id}`)
    const text = JSON.stringify(entry.value)
    for (let from = 1; from < LEASES; from += AT_ONCE) {
      const numbers = Array.from({ length: Math.min(AT_ONCE, LEASES - from) }, (_, index) => from + index)
      await Promise.all(numbers.map(number => copyOf(folder, { id, text, number, store })))
    }
  } finally {
    await store.close()
  }
}

function copyOf(
  folder: string,
  { id, text, number, store }: { id: string; text: string; number: number; store: StateStore },
): Promise<unknown> {
  const other = nameOf(number)
  const renamed = (content: string) => content.replaceAll(id, other)
  for (const name of readdirSync(join(folder, 'leases')).filter(name => name.startsWith(id)))
    writeFileSync(join(folder, 'leases', renamed(name)), renamed(text), { mode: 0o600 })
  const from = join(folder, 'volumes', `lease_${id}.lun0`)
  const to = join(folder, 'volumes', `lease_${other}.lun0`)
  mkdirSync(to)
  for (const name of readdirSync(from)) {
    if (name === 'volume.json') writeFileSync(join(to, name), renamed(readFileSync(join(from, name), 'utf8')))
    else if (name === 'overlay') {
      writeFileSync(join(to, name), '')
      truncateSync(join(to, name), statSync(join(from, name)).size)
    } else cpSync(join(from, name), join(to, name))
  }
  return store.put('leases', other, JSON.parse(renamed(text)), 0)
}

/** A number as an id of a lease looks. */
function nameOf(number: number): string {
  let digits = ''
  for (let rest = number; digits.length < 26; rest = Math.floor(rest / 32)) digits += ALPHABET[rest % 32]
  return digits
}

async function ask<T>(server: Scsipub, method: string, path: string, token: string, body?: object): Promise<T> {
  const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) }
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) }
  const response = await fetch(`${server.api}${path}`, init)
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  return (await response.json()) as T
}
