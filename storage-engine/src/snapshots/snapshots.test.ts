import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { VolumeDescriptor } from '@scsipub/contract'
import type { BorrowedVolume } from '@scsipub/volume'
import t from 'tap'
import { bench, bytes, MIB, remove, spec, temporaryDirectory } from '../test-bench.js'
import { MAX_LAYERS } from './volume-base.js'

function place(): string {
  const directory = temporaryDirectory()
  t.teardown(() => remove(directory))
  return directory
}

const at = async (volume: BorrowedVolume, position: number): Promise<number> => {
  const target = bytes(0xee, 512)
  await volume.read(position, target, 0, 512)
  if (target.some(byte => byte !== target[0])) throw new Error('a sector of more than one value')
  return target[0]!
}
const unmap = (position: number, length: number) => ({
  name: 'unmap' as const,
  ranges: [{ position, length }],
  anchor: false,
})

t.test('a snapshot keeps what was there; the volume goes on, also for who borrowed it before', async t => {
  const dataDir = place()
  const { engine, workers } = bench(dataDir)
  const disk = workers.borrow(await engine.open(spec('disk')))
  await disk.write(0, bytes(1), 0, 4096)
  await disk.write(8192, bytes(2), 0, 4096)
  const { control } = disk
  const taken = await engine.snapshots.take([{ volumeId: 'disk', snapshotId: 'snap' }])
  t.match(taken.snapshots, [{ snapshotId: 'snap', volumeId: 'disk', sizeBytes: 4 * MIB, usedBytes: 8192 }])
  t.not(disk.control, control, 'another control block, at once')
  t.equal(disk.usage.usedBytes, 0, 'its own overlay is empty')
  t.same([await at(disk, 0), await at(disk, 4096), await at(disk, 8192)], [1, 0, 2])
  await disk.write(0, bytes(3, 512), 0, 512)
  t.equal(disk.usage.usedBytes, 512)
  const clone = workers.borrow(await engine.open(spec('clone', { baseSnapshot: 'snap' })))
  t.same([await at(clone, 0), await at(clone, 8192), await at(disk, 0), await at(disk, 512)], [1, 2, 3, 1])
  await clone.write(8192, bytes(4), 0, 4096)
  t.same([await at(clone, 8192), await at(disk, 8192)], [4, 2])
  await engine.close()
  const again = bench(dataDir)
  const [disk2, clone2] = [
    again.workers.borrow(await again.engine.open(spec('disk'))),
    again.workers.borrow(await again.engine.reopen('clone')),
  ]
  t.same([await at(disk2, 0), await at(disk2, 512), await at(disk2, 8192)], [3, 1, 2])
  t.same([await at(clone2, 0), await at(clone2, 8192)], [1, 4])
  t.same((await again.engine.snapshots.list()).snapshots, taken.snapshots)
  await again.engine.close()
})

t.test('a clone has an identity of its own and may be larger; its end behind the snapshot is zeros', async t => {
  const dataDir = place()
  const basePath = join(dataDir, '..', `image-${process.pid}`)
  t.teardown(() => rmSync(basePath))
  writeFileSync(basePath, bytes(0xb0, 8 * MIB))
  const { engine, workers } = bench(dataDir)
  const descriptor = await engine.open(spec('disk', { basePath }))
  await engine.snapshots.take([{ volumeId: 'disk', snapshotId: 'snap' }])
  const other = await engine.open(spec('large', { baseSnapshot: 'snap', sizeBytes: 6 * MIB }))
  t.not(other.identity.naa, descriptor.identity.naa)
  const large = workers.borrow(other)
  t.same([await at(large, 4 * MIB - 512), await at(large, 4 * MIB)], [0xb0, 0])
  const both = bytes(1, 8192)
  await large.read(4 * MIB - 4096, both, 0, 8192)
  t.same([both[4095], both[4096]], [0xb0, 0])
  await t.rejects(engine.open(spec('small', { baseSnapshot: 'snap', sizeBytes: MIB })), { code: 'bad-request' })
  await t.rejects(engine.open(spec('blocks', { baseSnapshot: 'snap', blockBytes: 4096 })), { code: 'bad-request' })
  await t.rejects(engine.open(spec('none', { baseSnapshot: 'nothing' })), { code: 'base-missing', message: /nothing/ })
  await t.rejects(engine.open(spec('two', { baseSnapshot: 'snap', basePath })), { code: 'bad-request' })
  t.equal(existsSync(join(dataDir, 'volumes/small')), false)
  const scratch = workers.borrow(await engine.open(spec('scratch', { baseSnapshot: 'snap', persistence: 'ephemeral' })))
  t.equal(await at(scratch, 0), 0xb0)
  await scratch.write(0, bytes(5), 0, 4096)
  t.same([await at(scratch, 0), await at(scratch, 4096)], [5, 0xb0])
  await engine.close()
})

t.test(
  'what was unmapped reads as zeros through layers, is told by GET LBA STATUS, and is booked by nobody',
  async t => {
    const { engine, workers } = bench(place())
    const disk = workers.borrow(await engine.open(spec('disk', { sizeBytes: MIB })))
    await disk.write(0, bytes(1, 16384), 0, 16384)
    await disk.exclusive(unmap(4096, 4096))
    await engine.snapshots.take([{ volumeId: 'disk', snapshotId: 'one' }])
    const runs = async () =>
      (await disk.exclusive({ name: 'lbaStatus', position: 0, length: MIB, limit: 9 })).runs.map(
        ({ position, length, status }) => [position / 4096, length / 4096, status],
      )
    t.same([await at(disk, 0), await at(disk, 4096), await at(disk, 8192)], [1, 0, 1])
    t.same(await runs(), [
      [0, 1, 0],
      [1, 1, 1],
      [2, 2, 0],
      [4, 252, 1],
    ])
    await disk.exclusive(unmap(8192, 4096))
    t.same([await at(disk, 8192), await at(disk, 12288), disk.usage.usedBytes], [0, 1, 0])
    t.same(await runs(), [
      [0, 1, 0],
      [1, 2, 1],
      [3, 1, 0],
      [4, 252, 1],
    ])
    await engine.snapshots.take([{ volumeId: 'disk', snapshotId: 'two' }])
    await disk.write(8192, bytes(7), 0, 4096)
    t.same([await at(disk, 4096), await at(disk, 8192), await at(disk, 12288)], [0, 7, 1])
    t.equal(disk.usage.usedBytes, 4096)
    const old = workers.borrow(await engine.open(spec('old', { sizeBytes: MIB, baseSnapshot: 'one' })))
    t.equal(await at(old, 8192), 1, 'the older snapshot has it')
    await engine.close()
  },
)

t.test(
  'a snapshot that a volume, a snapshot or an open disk stands on stays; the end of its volume does not matter',
  async t => {
    const dataDir = place()
    const { engine, workers } = bench(dataDir)
    const disk = workers.borrow(await engine.open(spec('disk')))
    await disk.write(0, bytes(1), 0, 4096)
    await engine.snapshots.take([{ volumeId: 'disk', snapshotId: 'one' }])
    await engine.snapshots.take([{ volumeId: 'disk', snapshotId: 'two' }])
    const inUse = (snapshotId: string, message: RegExp) =>
      t.rejects(engine.snapshots.destroy(snapshotId), { code: 'in-use', message })
    await inUse('one', /the snapshot two/)
    await inUse('two', /the volume disk/)
    await engine.remove('disk')
    await engine.open(spec('scratch', { baseSnapshot: 'two', persistence: 'ephemeral' }))
    await inUse('two', /in use/)
    await engine.destroy('scratch')
    const clone = workers.borrow(await engine.open(spec('clone', { baseSnapshot: 'two' })))
    t.equal(await at(clone, 0), 1, 'it outlives the volume of which it was taken')
    await engine.destroy('clone')
    await inUse('two', /the volume clone/)
    writeFileSync(join(dataDir, 'volumes/clone/volume.json'), '{')
    await inUse('two', /perhaps the volume clone/)
    await engine.remove('clone')
    await engine.snapshots.destroy('two')
    await engine.snapshots.destroy('one')
    t.same(await engine.snapshots.list(), { snapshots: [], damaged: [] })
    t.same(readdirSync(join(dataDir, 'snapshots')), [])
    await t.rejects(engine.snapshots.destroy('one'), { code: 'missing' })
    await engine.close()
  },
)

t.test('a name is not confused with the files that had it before', async t => {
  const { engine, workers } = bench(place())
  const round = async (fill: number): Promise<VolumeDescriptor> => {
    const disk = workers.borrow(await engine.open(spec('disk')))
    await disk.write(0, bytes(fill), 0, 4096)
    await engine.snapshots.take([{ volumeId: 'disk', snapshotId: 'snap' }])
    disk.release()
    await engine.remove('disk')
    return engine.open(spec(`clone${fill}`, { baseSnapshot: 'snap' }))
  }
  // The first clone stays borrowed after its end, so that its layer is still open in the worker.
  const first = workers.borrow(await round(1))
  t.equal(await at(first, 0), 1)
  await engine.remove('clone1')
  await engine.snapshots.destroy('snap')
  const second = workers.borrow(await round(2))
  t.equal(await at(second, 0), 2)
  await engine.close()
})

t.test('several volumes are frozen by one call, or none', async t => {
  const dataDir = place()
  const { engine, workers } = bench(dataDir)
  for (const name of ['a', 'b']) await workers.borrow(await engine.open(spec(name))).write(0, bytes(1), 0, 4096)
  await engine.open(spec('gone', { persistence: 'ephemeral' }))
  const items = (...names: string[]) => names.map(name => ({ volumeId: name, snapshotId: `snap-${name}` }))
  for (const [refused, code] of [
    [items('a', 'a'), 'bad-request'],
    [items(), 'bad-request'],
    [items('a', 'gone'), 'bad-request'],
    [items('a', 'unknown'), 'gone'],
    [[{ volumeId: 'a', snapshotId: '../x' }], 'bad-request'],
  ] as const) {
    await t.rejects(engine.snapshots.take(refused), { code })
    t.same(readdirSync(join(dataDir, 'snapshots')), [])
    t.equal(existsSync(join(dataDir, 'volumes/a/next')), false)
  }
  const { snapshots } = await engine.snapshots.take(items('a', 'b'))
  t.same(
    snapshots.map(({ snapshotId }) => snapshotId),
    ['snap-a', 'snap-b'],
  )
  await t.rejects(engine.snapshots.take([{ volumeId: 'b', snapshotId: 'snap-a' }]), { code: 'exists' })
  await engine.close()
})

t.test('what is damaged is told by name, and refuses only what stands on it', async t => {
  const dataDir = place()
  const { engine } = bench(dataDir)
  for (const name of ['a', 'b']) {
    await engine.open(spec(name))
    await engine.snapshots.take([{ volumeId: name, snapshotId: `snap-${name}` }])
  }
  await engine.close()
  const manifest = join(dataDir, 'snapshots/snap-a/snapshot.json')
  const content = readFileSync(manifest)
  writeFileSync(manifest, content.subarray(0, 20))
  const second = bench(dataDir)
  await t.rejects(second.engine.open(spec('a')), { code: 'damaged', message: /snap-a/ })
  await second.engine.open(spec('b'))
  const { snapshots, damaged } = await second.engine.snapshots.list()
  t.same([snapshots.length, damaged[0]?.snapshotId], [1, 'snap-a'])
  writeFileSync(manifest, content)
  await second.engine.open(spec('a'))
  await second.engine.destroy('a')
  truncateSync(join(dataDir, 'snapshots/snap-a/overlay'), 512)
  const { workers, engine: third } = second
  const volume = workers.borrow(await third.open(spec('a')))
  await t.rejects(async () => volume.read(0, bytes(0), 0, 4096), { code: 'io-read', message: /512 bytes/ })
  await third.close()
})

t.test('no more snapshots one on the other than reads can be asked to go through', async t => {
  const { engine, workers } = bench(place())
  const disk = workers.borrow(await engine.open(spec('disk', { sizeBytes: MIB })))
  for (let depth = 0; depth < MAX_LAYERS; depth++) {
    await disk.write(depth * 512, bytes(depth + 1, 512), 0, 512)
    await engine.snapshots.take([{ volumeId: 'disk', snapshotId: `s${depth}` }])
  }
  for (let depth = 0; depth < MAX_LAYERS; depth++) t.equal(await at(disk, depth * 512), depth + 1)
  t.equal(await at(disk, MAX_LAYERS * 512), 0)
  await t.rejects(engine.snapshots.take([{ volumeId: 'disk', snapshotId: 'more' }]), { code: 'too-deep' })
  const clone = workers.borrow(await engine.open(spec('clone', { sizeBytes: MIB, baseSnapshot: `s${MAX_LAYERS - 1}` })))
  t.equal(await at(clone, 0), 1)
  await engine.close()
})

t.test('leftovers of an interrupted removal go at the next start', async t => {
  const dataDir = place()
  await bench(dataDir).engine.close()
  mkdirSync(join(dataDir, 'snapshots/.removing-x'))
  await bench(dataDir).engine.close()
  t.same(readdirSync(join(dataDir, 'snapshots')), [])
})
