// The tokens of a session and their files: bounds, ends, and other threads [SPC-4 §5.17.6.7].

import { existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type SenseCode, senseCodes } from '@scsipub/scsi'
import t from 'tap'
import { failureOf } from './fixtures/memory-unit.js'
import { TokenFiles } from './token-files.js'
import { TokenStore } from './token-store.js'

const MIB = 1 << 20
let tokens = 0

/** Bytes that differ from token to token. */
function newToken(): Buffer {
  tokens++
  return Buffer.alloc(512, `token ${tokens} `)
}

async function make(store: TokenStore, bytes: number, timeoutMs = 60_000, unit: object = {}): Promise<Buffer> {
  const draft = await store.begin(bytes)
  const token = newToken()
  await store.keep(draft, token, { timeoutMs, unit })
  return token
}

async function fails(work: Promise<unknown>): Promise<SenseCode> {
  return (await failureOf(work.then(() => undefined))).code
}

async function isThere(store: TokenStore, token: Buffer): Promise<boolean> {
  const copy = await store.open(token).catch(() => undefined)
  await copy?.close()
  return copy !== undefined
}

t.test('what was written is read back, by another thread too; holes are zeros', async t => {
  const folder = t.testdir()
  const store = new TokenStore(new TokenFiles(async () => folder))
  const draft = await store.begin(3 * 4096)
  await draft.write(4096, Buffer.alloc(8192, 7), 4096)
  const token = newToken()
  await store.keep(draft, token, { timeoutMs: 60_000, unit: {} })
  const elsewhere = new TokenStore(new TokenFiles(async () => folder))
  const copy = await elsewhere.open(token)
  const data = Buffer.alloc(3 * 4096, 1)
  await copy.read(0, data, data.length)
  t.same(data, Buffer.concat([Buffer.alloc(4096), Buffer.alloc(4096, 7), Buffer.alloc(4096)]))
  await store.close()
  await copy.read(4096, data, 4096)
  t.equal(data[0], 7, 'a copy that is being read can be read to its end')
  await copy.close()
  t.same(readdirSync(folder), [])
  t.equal(await fails(store.open(token)), senseCodes.tokenCancelled)
  t.equal(await fails(elsewhere.open(token)), senseCodes.tokenUnknown)
})

t.test('a unit that goes takes the tokens for its data with it, and their room', async t => {
  const folder = t.testdir()
  const store = new TokenStore(new TokenFiles(async () => folder))
  const [unit, other] = [{}, {}]
  const gone = await make(store, 200 * MIB, 60_000, unit)
  const kept = await make(store, MIB, 60_000, other)
  await store.cancel(unit)
  t.equal(await fails(store.open(gone)), senseCodes.tokenCancelled)
  t.ok(await isThere(store, kept))
  await make(store, 200 * MIB)
  t.ok(await isThere(store, kept), 'the room of the one that went was free')
  await store.close()
})

t.test('a discarded copy leaves nothing', async t => {
  const folder = t.testdir()
  const store = new TokenStore(new TokenFiles(async () => folder))
  await store.discard(await store.begin(MIB))
  t.same(readdirSync(folder), [])
  for (let round = 0; round < 20; round++) await store.discard(await store.begin(200 * MIB))
  await store.close()
})

t.test('the oldest tokens make room; what is being made does not: 5/55/0C', async t => {
  const store = new TokenStore(new TokenFiles(async () => t.testdir()))
  const first = await make(store, 100 * MIB)
  const second = await make(store, 100 * MIB)
  const third = await make(store, 100 * MIB)
  t.equal(await fails(store.open(first)), senseCodes.tokenCancelled)
  t.ok(await isThere(store, second))
  const draft = await store.begin(200 * MIB)
  t.equal(await fails(store.begin(100 * MIB)), senseCodes.insufficientResourcesToCreateRod)
  t.notOk(await isThere(store, third))
  await store.discard(draft)
  await store.discard(await store.begin(256 * MIB))
  await store.close()
})

t.test('the tokens of a worker are bounded, too: 5/55/0C', async t => {
  const files = new TokenFiles(async () => t.testdir())
  const stores = [1, 2, 3, 4].map(() => new TokenStore(files))
  for (const store of stores) await make(store, 256 * MIB)
  const further = new TokenStore(files)
  t.equal(await fails(further.begin(MIB)), senseCodes.insufficientResourcesToCreateRod)
  await stores[0]!.close()
  await further.discard(await further.begin(MIB))
  for (const store of stores) await store.close()
})

t.test('the inactivity timeout counts from the last use, wherever that was', async t => {
  const folder = t.testdir()
  const store = new TokenStore(new TokenFiles(async () => folder))
  const token = await make(store, 4096, 400)
  const [name] = readdirSync(folder)
  const path = join(folder, name!)
  const later = new Date(Date.now() + 1000)
  utimesSync(path, later, later)
  while (existsSync(path)) await new Promise(resolve => setTimeout(resolve, 20))
  t.ok(Date.now() >= later.getTime() + 400 - 5, 'used a second after it was made')
  t.equal(await fails(store.open(token)), senseCodes.tokenExpired)
})

t.test('files that a dead worker left are removed when the next token is made', async t => {
  const folder = t.testdir()
  const path = join(folder, 'left')
  writeFileSync(path, 'x')
  const longAgo = new Date(Date.now() - 3600_000)
  utimesSync(path, longAgo, longAgo)
  writeFileSync(join(folder, 'young'), 'x')
  const store = new TokenStore(new TokenFiles(async () => folder))
  await store.discard(await store.begin(4096))
  t.same(readdirSync(folder), ['young'])
})

t.test('a folder that cannot be written: 4/44/00, and nothing is held', async t => {
  const store = new TokenStore(new TokenFiles(async () => join(t.testdir(), 'nowhere')))
  t.equal((await failureOf(store.begin(256 * MIB).then(() => {}))).code, senseCodes.internalTargetFailure)
  t.equal((await failureOf(store.begin(256 * MIB).then(() => {}))).code, senseCodes.internalTargetFailure)
})
