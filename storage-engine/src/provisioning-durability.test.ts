// What is left of unmapped sectors after every kind of end: a killed process, a power cut, an upgrade from the old format. A crash is what the
// files hold at an instant, opened again by another engine.

import { closeSync, cpSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { ExclusiveOperation } from '@scsipub/contract'
import {
  BITMAP_FORMAT,
  type BorrowedVolume,
  bitmapFileBytes,
  bitmapRegionBytes,
  writeBitmapHeader,
} from '@scsipub/volume'
import t, { type Test } from 'tap'
import { bench, bytes, MIB, remove, spec, temporaryDirectory } from './test-bench.js'

const SECTORS = (4 * MIB) / 512
const REGION = bitmapRegionBytes(SECTORS)

function place(t: Test): string {
  const directory = temporaryDirectory()
  t.teardown(() => remove(directory))
  return directory
}

type Unmap = Extract<ExclusiveOperation, { name: 'unmap' }>
const unmap = (first: number, count: number, anchor = false): Unmap => ({
  name: 'unmap',
  ranges: [{ position: first * 512, length: count * 512 }],
  anchor,
})

async function states(volume: BorrowedVolume): Promise<string[]> {
  const { runs } = await volume.exclusive({ name: 'lbaStatus', position: 0, length: 4 * MIB, limit: 100 })
  return runs.map(({ position, length, status }) => `${position / 512} ${length / 512} ${status}`)
}

async function sectors(volume: BorrowedVolume, first: number, count: number): Promise<number[]> {
  const buffer = bytes(0xee, count * 512)
  await volume.read(first * 512, buffer, 0, buffer.length)
  return Array.from({ length: count }, (_, index) => buffer[index * 512] ?? -1)
}

/** A disk over a base of 0xb0, with sectors 0..31 written and 8..15 and 100..103 unmapped, 16..19 anchored. */
async function prepared(t: Test) {
  const dataDir = place(t)
  const basePath = join(place(t), 'base')
  writeFileSync(basePath, bytes(0xb0, 4 * MIB))
  const disk = spec('disk', { basePath })
  const { engine, workers } = bench(dataDir, { bootId: 'boot-1' })
  const volume = workers.borrow(await engine.open(disk))
  await volume.write(0, bytes(1, 32 * 512), 0, 32 * 512)
  await volume.exclusive(unmap(8, 8))
  await volume.exclusive(unmap(100, 4))
  await volume.exclusive(unmap(16, 4, true))
  return { dataDir, disk, engine, volume }
}

/** The files as they are now, opened by another engine. */
async function reopened(
  t: Test,
  from: string,
  disk: ReturnType<typeof spec>,
  bootId: string,
  change = (_: string) => {},
) {
  const dataDir = place(t)
  cpSync(join(from, 'volumes'), join(dataDir, 'volumes'), { recursive: true })
  change(join(dataDir, 'volumes/disk'))
  const { engine, workers } = bench(dataDir, { bootId })
  const volume = workers.borrow(await engine.open(disk))
  t.teardown(() => engine.close())
  return volume
}

t.test('a killed process: all is as it was', async t => {
  const { dataDir, disk, engine } = await prepared(t)
  const after = await reopened(t, dataDir, disk, 'boot-1')
  t.same(await states(after), ['0 8 0', '8 8 1', '16 4 2', '20 80 0', '100 4 1', '104 8088 0'])
  t.same(await sectors(after, 6, 12), [1, 1, ...Array<number>(8).fill(0), 0, 0])
  t.same(await sectors(after, 99, 6), [0xb0, 0, 0, 0, 0, 0xb0])
  t.equal(after.usage.usedBytes, 24 * 512, 'anchored sectors count, deallocated ones do not')
  await after.write(8 * 512, bytes(2, 512), 0, 512)
  t.equal(after.usage.usedBytes, 25 * 512)
  t.same((await states(after)).slice(0, 3), ['0 9 0', '9 7 1', '16 4 2'])
  await engine.close()
})

t.test('a power cut after a flush: zeros stay zeros, also over the base; nothing is deallocated any more', async t => {
  const { dataDir, disk, engine, volume } = await prepared(t)
  await volume.flush()
  const after = await reopened(t, dataDir, disk, 'boot-2')
  t.same(await sectors(after, 6, 12), [1, 1, ...Array<number>(8).fill(0), 0, 0])
  t.same(await sectors(after, 99, 6), [0xb0, 0, 0, 0, 0, 0xb0])
  t.same(await states(after), ['0 8192 0'])
  t.equal(after.usage.usedBytes, 36 * 512)
  await after.exclusive(unmap(8, 8))
  t.equal(after.usage.usedBytes, 28 * 512, 'and can be unmapped again')
  await engine.close()
})

t.test('a power cut before a flush: every sector is old or new', async t => {
  const { dataDir, disk, engine } = await prepared(t)
  const after = await reopened(t, dataDir, disk, 'boot-2')
  t.same(await sectors(after, 99, 6), Array<number>(6).fill(0xb0), 'the base, as before')
  t.same(await sectors(after, 6, 4), Array<number>(4).fill(0xb0), 'what was written was not flushed either')
  await engine.close()
})

t.test(
  'the instants of an unmapping: whichever step is the last, a sector is old or zeros, and the count is of what the bits say',
  async t => {
    const { dataDir, disk, engine } = await prepared(t)
    const bit = (directory: string, region: number, sector: number, on: boolean) => {
      const fd = openSync(join(directory, 'bitmap'), 'r+')
      const byte = readFileSync(join(directory, 'bitmap'))[4096 + region * REGION + (sector >> 3)] ?? 0
      const mask = 1 << (sector & 7)
      writeSync(fd, Buffer.from([on ? byte | mask : byte & ~mask]), 0, 1, 4096 + region * REGION + (sector >> 3))
      closeSync(fd)
    }
    const hole = (directory: string, sector: number) => {
      const fd = openSync(join(directory, 'overlay'), 'r+')
      writeSync(fd, Buffer.alloc(512), 0, 512, sector * 512)
      closeSync(fd)
    }
    // Sector 200 is the base's, sector 1 has been written.
    const steps: { what: string; act: (directory: string, sector: number) => void; read: number[]; booked: number }[] =
      [
        { what: 'the hole', act: hole, read: [0xb0, 0], booked: 24 },
        { what: 'presence', act: (directory, sector) => bit(directory, 0, sector, true), read: [0, 0], booked: 25 },
        { what: 'deallocation', act: (directory, sector) => bit(directory, 1, sector, true), read: [0, 0], booked: 23 },
      ]
    for (const [last, { what, read, booked }] of steps.entries()) {
      const after = await reopened(t, dataDir, disk, 'boot-1', directory => {
        for (const { act } of steps.slice(0, last + 1)) for (const sector of [200, 1]) act(directory, sector)
      })
      t.same([...(await sectors(after, 200, 1)), ...(await sectors(after, 1, 1))], read, what)
      t.equal(after.usage.usedBytes, booked * 512, what)
    }
    // A write takes the bit away before it writes: what is found then is zeros, and booked.
    const cut = await reopened(t, dataDir, disk, 'boot-1', directory => bit(directory, 1, 8, false))
    t.same(await sectors(cut, 8, 2), [0, 0])
    t.same((await states(cut)).slice(0, 2), ['0 9 0', '9 7 1'])
    t.equal(cut.usage.usedBytes, 25 * 512)
    await engine.close()
  },
)

t.test('a disk of the old format keeps its data and can be unmapped, also when the conversion was cut off', async t => {
  const { dataDir, disk, engine } = await prepared(t)
  const old = (directory: string, cutOff: boolean) => {
    const path = join(directory, 'bitmap')
    const fd = openSync(path, 'r+')
    writeBitmapHeader(fd, { sizeSectors: SECTORS, bootId: 'boot-1', format: BITMAP_FORMAT.presence })
    closeSync(fd)
    truncateSync(path, bitmapFileBytes(SECTORS, BITMAP_FORMAT.presence))
    if (cutOff) truncateSync(path, bitmapFileBytes(SECTORS, BITMAP_FORMAT.provisioned))
  }
  for (const cutOff of [false, true]) {
    const after = await reopened(t, dataDir, disk, 'boot-1', directory => old(directory, cutOff))
    t.same(await sectors(after, 6, 4), [1, 1, 0, 0])
    t.same(await states(after), ['0 8192 0'])
    await after.exclusive(unmap(0, 4))
    t.same(await states(after), ['0 4 1', '4 8188 0'])
  }
  await engine.close()
})

t.test('unmapping a disk that nobody has written to makes no files, unless a base shines through', async t => {
  const dataDir = place(t)
  const { engine, workers } = bench(dataDir)
  const blank = workers.borrow(await engine.open(spec('blank', { persistence: 'ephemeral' })))
  await blank.exclusive(unmap(0, 100))
  t.throws(() => readFileSync(join(dataDir, 'ephemeral/blank/overlay')), { code: 'ENOENT' })
  const basePath = join(place(t), 'base')
  writeFileSync(basePath, bytes(0xb0, 1000))
  const over = workers.borrow(await engine.open(spec('over', { persistence: 'ephemeral', basePath })))
  t.same(await states(over), ['0 2 0', '2 8190 1'])
  await over.exclusive(unmap(0, 1))
  t.same(await sectors(over, 0, 3), [0, 0xb0, 0])
  t.same(await states(over), ['0 1 1', '1 1 0', '2 8190 1'])
  rmSync(basePath)
  await engine.close()
})
