// Sanitize operations in the engine: what they leave, how they fail, and how they come back [SBC-3 §4.11].

import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExclusiveOperation } from '@scsipub/contract'
import type { BorrowedVolume } from '@scsipub/volume'
import t, { type Test } from 'tap'
import { bench, bytes, MIB, remove, spec, temporaryDirectory } from './test-bench.js'

type Sanitize = Extract<ExclusiveOperation, { name: 'sanitize' }>
const erase = (allowExit = false): Sanitize => ({ name: 'sanitize', method: 'erase', data: Buffer.alloc(0), allowExit })
const overwrite = (...fills: number[]): Sanitize => ({
  name: 'sanitize',
  method: 'overwrite',
  data: Buffer.concat(fills.map(fill => bytes(fill, 512))),
  allowExit: false,
})

function place(t: Test): string {
  const directory = temporaryDirectory()
  t.teardown(() => remove(directory))
  return directory
}

const marker = (dataDir: string) => join(dataDir, 'volumes/disk/sanitize.json')

async function firstAndLast(volume: BorrowedVolume): Promise<number[]> {
  const buffer = bytes(0xee, 1024)
  await volume.read(0, buffer, 0, 512)
  await volume.read(4 * MIB - 512, buffer, 512, 512)
  return [buffer[0] ?? -1, buffer[1023] ?? -1]
}

/** A sync that can be made to fail or to wait. */
function controlledSync() {
  const state = { fail: false, hold: undefined as Promise<void> | undefined }
  const sync = async () => {
    if (state.fail) throw new Error('EIO')
    await state.hold
  }
  return { state, sync }
}

t.test('nobody reads or writes until it has ended, and then it is durable', async t => {
  const dataDir = place(t)
  const { state, sync } = controlledSync()
  const { engine, workers } = bench(dataDir, { sync })
  const volume = workers.borrow(await engine.open(spec('disk')))
  await volume.write(0, bytes(1), 0, 4096)
  let release = () => {}
  state.hold = new Promise(resolve => {
    release = resolve
  })
  await volume.exclusive(erase())
  t.match(volume.sanitize, { state: 'inProgress' })
  t.throws(() => volume.read(0, bytes(0), 0, 4096), { code: 'sanitizing' })
  t.throws(() => volume.write(0, bytes(0), 0, 4096), { code: 'sanitizing' })
  await t.rejects(volume.exclusive(erase()), { code: 'sanitizing' })
  await t.rejects(volume.exclusive({ name: 'unmap', ranges: [], anchor: false }), { code: 'sanitizing' })
  t.ok(existsSync(marker(dataDir)), 'marked before it is acknowledged')
  release()
  await engine.sanitized('disk')
  t.notOk(existsSync(marker(dataDir)))
  t.equal(volume.sanitize, undefined)
  t.same(await firstAndLast(volume), [0, 0])
  t.equal(volume.usage.usedBytes, 0)
  await engine.close()
})

t.test('overwriting maps everything with the last pass; more than the quota is refused with nothing done', async t => {
  const { engine, workers } = bench(place(t))
  const volume = workers.borrow(await engine.open(spec('disk')))
  await volume.exclusive(overwrite(0x11, 0x22))
  await engine.sanitized('disk')
  t.same(await firstAndLast(volume), [0x22, 0x22])
  t.equal(volume.usage.usedBytes, 4 * MIB)
  const small = workers.borrow(await engine.open(spec('small', { quotaBytes: MIB, persistence: 'ephemeral' })))
  await small.write(0, bytes(7), 0, 4096)
  await t.rejects(small.exclusive(overwrite(0x11)), { code: 'space' })
  t.equal(small.sanitize, undefined)
  t.same(await firstAndLast(small), [7, 0])
  await engine.close()
})

t.test('one that fails keeps the disk shut, over a restart too, until another one succeeds', async t => {
  const dataDir = place(t)
  const { state, sync } = controlledSync()
  const { engine, workers } = bench(dataDir, { sync })
  const volume = workers.borrow(await engine.open(spec('disk')))
  await volume.write(0, bytes(1), 0, 4096)
  state.fail = true
  await volume.exclusive(erase())
  await t.rejects(engine.sanitized('disk'), { code: 'sanitize-failed' })
  t.match(volume.sanitize, { state: 'failed' })
  t.throws(() => volume.read(0, bytes(0), 0, 4096), { code: 'sanitize-failed' })
  t.same(await volume.exclusive({ name: 'exitSanitizeFailure' }), { restricted: true }, 'it had not allowed that')
  t.same(await volume.exclusive(erase(true)), { restricted: true }, 'nor one that allows it')
  await t.rejects(engine.close())

  const next = bench(dataDir)
  const again = next.workers.borrow(await next.engine.open(spec('disk')))
  t.match(again.sanitize, { state: 'failed' })
  t.same(await again.exclusive(erase()), { restricted: false })
  await next.engine.sanitized('disk')
  t.same(await firstAndLast(again), [0, 0])
  await next.engine.close()
})

t.test('one that allowed it can be given up', async t => {
  const dataDir = place(t)
  const { state, sync } = controlledSync()
  const { engine, workers } = bench(dataDir, { sync })
  const volume = workers.borrow(await engine.open(spec('disk')))
  t.same(await volume.exclusive({ name: 'exitSanitizeFailure' }), { restricted: false }, 'nothing has failed')
  state.fail = true
  await volume.exclusive(erase(true))
  await t.rejects(engine.sanitized('disk'), { code: 'sanitize-failed' })
  t.same(await volume.exclusive({ name: 'exitSanitizeFailure' }), { restricted: false })
  t.equal(volume.sanitize, undefined)
  t.notOk(existsSync(marker(dataDir)))
  await t.rejects(engine.close(), 'the sync that failed')
})

t.test('a server that ends or dies meanwhile: the disk comes back being sanitized', async t => {
  const dataDir = place(t)
  const crashed = place(t)
  const { state, sync } = controlledSync()
  const { engine, workers } = bench(dataDir, { sync, bootId: 'boot-1' })
  const volume = workers.borrow(await engine.open(spec('disk')))
  await volume.write(0, bytes(1), 0, 4096)
  await volume.flush()
  let release = () => {}
  state.hold = new Promise(resolve => {
    release = resolve
  })
  await volume.exclusive(overwrite(0x33))
  cpSync(join(dataDir, 'volumes'), join(crashed, 'volumes'), { recursive: true })
  const closing = engine.close()
  release()
  await closing
  for (const [directory, bootId] of [
    [crashed, 'boot-1'],
    [dataDir, 'boot-2'],
  ] as const) {
    const next = bench(directory, { bootId })
    const again = next.workers.borrow(await next.engine.open(spec('disk')))
    if (again.sanitize) t.throws(() => again.read(0, bytes(0), 0, 4096), { code: 'sanitizing' })
    await next.engine.sanitized('disk')
    t.same(await firstAndLast(again), [0x33, 0x33])
    t.notOk(existsSync(marker(directory)))
    await next.engine.close()
  }
})

t.test('a mark that cannot be understood keeps the disk shut', async t => {
  const dataDir = place(t)
  const first = bench(dataDir)
  await first.engine.open(spec('disk'))
  await first.engine.close()
  for (const content of ['{', '{"format":1}', readFileSync(join(dataDir, 'volumes/disk/volume.json'), 'utf8')]) {
    writeFileSync(marker(dataDir), content)
    const { engine } = bench(dataDir)
    await t.rejects(engine.open(spec('disk')), { code: 'damaged' })
    await engine.close()
  }
})
