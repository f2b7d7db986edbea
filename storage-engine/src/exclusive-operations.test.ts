// Operations that are alone on their volume: what they come to, what they are charged, and what they do to nobody else.

import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { ControlBlock } from '@scsipub/contract'
import type { BorrowedVolume } from '@scsipub/volume'
import t from 'tap'
import { bench, bytes, MIB, remove, spec, temporaryDirectory } from './test-bench.js'

function place(): string {
  const directory = temporaryDirectory()
  t.teardown(() => remove(directory))
  return directory
}

/** What lies at `position`. */
async function content(volume: BorrowedVolume, position: number, length: number): Promise<Buffer> {
  const target = bytes(0xee, length)
  await volume.read(position, target, 0, length)
  return target
}

const compareAndWrite = (position: number, old: Buffer, fresh: Buffer) =>
  ({ name: 'compareAndWrite', position, data: Buffer.concat([old, fresh]) }) as const

t.test('COMPARE AND WRITE writes what is equal, and says where what is not differs [SBC-3 §5.2]', async t => {
  for (const persistence of ['ephemeral', 'persistent'] as const) {
    const dataDir = place()
    const basePath = join(dataDir, 'base')
    writeFileSync(basePath, bytes(7, 1 * MIB))
    const { engine, workers } = bench(dataDir)
    const volume = workers.borrow(await engine.open(spec('disk', { persistence, basePath })))
    t.same(await volume.exclusive(compareAndWrite(512, bytes(7, 1024), bytes(1, 1024))), {})
    const differs = Buffer.concat([bytes(1, 1000), bytes(2, 24)])
    t.same(await volume.exclusive(compareAndWrite(512, differs, bytes(3, 1024))), { miscompareAt: 1000 })
    const around = [bytes(7, 512), bytes(1, 1024), bytes(7, 512)]
    t.same(await content(volume, 0, 2048), Buffer.concat(around))
    volume.release()
    await engine.close()
  }
})

t.test('COMPARE AND WRITE is charged like a write, and a full quota is refused with nothing done', async t => {
  const { engine, workers } = bench(place())
  const descriptor = await engine.open(spec('disk', { persistence: 'ephemeral', quotaBytes: 1024 }))
  const volume = workers.borrow(descriptor)
  await t.rejects(volume.exclusive(compareAndWrite(0, bytes(0, 1536), bytes(1, 1536))), { code: 'space' })
  t.same(await content(volume, 0, 1536), bytes(0, 1536))
  t.same(await volume.exclusive(compareAndWrite(0, bytes(0, 1024), bytes(1, 1024))), {})
  t.same(await volume.exclusive(compareAndWrite(0, bytes(1, 1024), bytes(2, 1024))), {}, 'over itself')
  t.equal(new ControlBlock(descriptor.control).space.allocatedSectors, 2)
  await engine.close()
})

t.test('what an exclusive operation wrote is found after a flush and another start of the machine', async t => {
  const dataDir = place()
  const first = bench(dataDir, { bootId: 'one' })
  const volume = first.workers.borrow(await first.engine.open(spec('disk')))
  await volume.exclusive(compareAndWrite(4096, bytes(0), bytes(5)))
  await volume.flush()
  volume.release()
  await first.engine.close()
  const second = bench(dataDir, { bootId: 'two' })
  t.same(await content(second.workers.borrow(await second.engine.open(spec('disk'))), 4096, 4096), bytes(5))
  await second.engine.close()
})

t.test('an operation that does not fit the volume is refused, and the volume goes on', async t => {
  const { engine, workers } = bench(place())
  const volume = workers.borrow(await engine.open(spec('disk')))
  for (const [position, length] of [
    [4 * MIB, 512],
    [-512, 512],
    [256, 512],
    [0, 100],
    [0, 0],
  ] as const)
    await t.rejects(engine.operate('disk', compareAndWrite(position, bytes(0, length), bytes(1, length))), {
      code: 'bad-request',
    })
  const data = 'text' as unknown as Uint8Array
  await t.rejects(engine.operate('disk', { name: 'compareAndWrite', position: 0, data }), { code: 'bad-request' })
  t.same(await content(volume, 0, 512), bytes(0, 512))
  await engine.close()
})

t.test('an operation that waits too long for its turn is refused, and not done later', async t => {
  const { engine, workers } = bench(place())
  const descriptor = await engine.open(spec('disk'))
  const volume = workers.borrow(descriptor)
  const control = new ControlBlock(descriptor.control)
  control.enter(9)
  const waiting = [1, 2].map(fill => volume.exclusive(compareAndWrite(0, bytes(0, 512), bytes(fill, 512))))
  const refused: unknown[] = []
  for (const operation of waiting) operation.catch((error: unknown) => refused.push(error))
  await t.rejects(waiting[0]!, { code: 'busy' })
  for (let turn = 0; turn < 10; turn++) await setImmediate()
  t.match(refused, [{ code: 'busy' }, { code: 'busy' }], 'the one behind it does not wait as long again')
  control.leave(9)
  t.same(await content(volume, 0, 512), bytes(0, 512))
  await engine.close()
})

t.test('the files that operations opened are closed with the volume', async t => {
  const { engine, workers } = bench(place())
  const before = readdirSync('/proc/self/fd').length
  for (const persistence of ['ephemeral', 'persistent'] as const) {
    const volume = workers.borrow(await engine.open(spec(persistence, { persistence })))
    await volume.exclusive(compareAndWrite(0, bytes(0), bytes(1)))
    volume.release()
    await engine.destroy(persistence)
  }
  t.equal(readdirSync('/proc/self/fd').length, before)
  await engine.close()
})
