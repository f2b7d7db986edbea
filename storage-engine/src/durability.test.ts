import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RpcError } from '@scsipub/contract'
import { bitmapRegionBytes } from '@scsipub/volume'
import t from 'tap'
import { bench, bytes, MIB, remove, spec, temporaryDirectory } from './test-bench.js'

function place(): string {
  const directory = temporaryDirectory()
  t.teardown(() => remove(directory))
  return directory
}

/** The presence bits: all of the durable bitmap, the first third of the live one. */
const bits = (dataDir: string, name: string) =>
  readFileSync(join(dataDir, 'volumes/disk', name)).subarray(4096, 4096 + bitmapRegionBytes((4 * MIB) / 512))

t.test('the durable bitmap names what was flushed and nothing else', async t => {
  const dataDir = place()
  const { engine, workers } = bench(dataDir)
  const volume = workers.borrow(await engine.open(spec('disk')))
  await volume.write(0, bytes(1), 0, 4096)
  t.equal(bits(dataDir, 'bitmap')[0], 0xff)
  t.equal(bits(dataDir, 'bitmap.durable')[0], 0, 'it lags until a flush')
  await volume.flush()
  await volume.write(4096, bytes(2), 0, 4096)
  t.same([...bits(dataDir, 'bitmap.durable').subarray(0, 2)], [0xff, 0])
  await engine.close()
  t.same(bits(dataDir, 'bitmap.durable'), bits(dataDir, 'bitmap'), 'a clean end is a flush')
})

t.test(
  'a disk of hundreds of pages is opened, and opened again after a restart of the server and of the machine',
  async t => {
    const dataDir = place()
    const disk = spec('disk', { sizeBytes: 9 * 1024 * MIB })
    const last = disk.sizeBytes - 512
    for (const [bootId, expected] of [
      ['boot-1', 0],
      ['boot-1', 1],
      ['boot-2', 2],
    ] as const) {
      const { engine, workers } = bench(dataDir, { bootId })
      const volume = workers.borrow(await engine.open(disk))
      const sector = bytes(0xee, 512)
      await volume.read(last, sector, 0, 512)
      t.equal(sector[0], expected)
      await volume.write(last, bytes(expected + 1, 512), 0, 512)
      await engine.close()
    }
  },
)

t.test('a power cut: what was flushed is there, and every sector is old or new', async t => {
  const dataDir = place()
  const basePath = join(dataDir, '..', `base-${process.pid}`)
  const sectors = (4 * MIB) / 512
  writeWhole(basePath, Buffer.alloc(4 * MIB, 0xb0))
  t.teardown(() => remove(basePath))
  const disk = spec('disk', { basePath })
  const { engine, workers } = bench(dataDir, { bootId: 'boot-1' })
  const volume = workers.borrow(await engine.open(disk))
  const old = new Uint8Array(sectors).fill(0xb0)
  const flushed = new Uint8Array(sectors)
  for (let round = 1; round <= 2; round++) {
    for (let index = 0; index < 500; index++) {
      const sector = (index * 7919 * round) % sectors
      await volume.write(sector * 512, bytes(round, 512), 0, 512)
      old[sector] = round
      flushed[sector] = 1
    }
    await volume.flush()
  }
  const recent = new Map<number, number>()
  for (let index = 0; index < 500; index++) {
    const sector = (index * 104729) % sectors
    await volume.write(sector * 512, bytes(9, 512), 0, 512)
    recent.set(sector, 9)
  }
  // The power goes: the process and the page cache. Of what was not synced, a part has reached the overlay and the live
  // bitmap; a sector that was new lies there as rubbish or as zeros.
  const crashed = snapshot(dataDir)
  await engine.close()
  restore(dataDir, crashed)
  const overlay = openSync(join(dataDir, 'volumes/disk/overlay'), 'r+')
  let index = 0
  for (const sector of recent.keys()) {
    const lost = flushed[sector] ? bytes(old[sector] ?? 0, 512) : bytes(0xdd, 512)
    if (index++ % 3 > 0) writeSync(overlay, lost, 0, 512, sector * 512)
  }
  closeSync(overlay)
  const live = openSync(join(dataDir, 'volumes/disk/bitmap'), 'r+')
  writeSync(live, bytes(0xff, 300), 0, 300, 4096)
  closeSync(live)

  const after = bench(dataDir, { bootId: 'boot-2' })
  const descriptor = await after.engine.open(disk)
  const read = after.workers.borrow(descriptor)
  const sector = bytes(0, 512)
  let wrong = 0
  for (let at = 0; at < sectors; at++) {
    await read.read(at * 512, sector, 0, 512)
    const first = sector[0] ?? -1
    if (sector.some(byte => byte !== first) || (first !== old[at] && first !== recent.get(at))) wrong++
  }
  t.equal(wrong, 0)
  await after.engine.close()
})

t.test('a process that was killed has lost no acknowledged write, flushed or not', async t => {
  const dataDir = place()
  const child = fork(fileURLToPath(new URL('./test-writer.js', import.meta.url)), [dataDir], { silent: true })
  const acknowledged = new Map<number, number>()
  child.on('message', ([sector, value]: [number, number]) => acknowledged.set(sector, value))
  await writes(child, 3000)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const { engine, workers } = bench(dataDir)
  const volume = workers.borrow(await engine.open(spec('disk')))
  const word = bytes(0, 512)
  let lost = 0
  for (const [sector, value] of acknowledged) {
    await volume.read(sector * 512, word, 0, 512)
    // The last write of a sector may have been done without the message having come.
    if (word.readUInt32LE(0) < value || word.readUInt32LE(0) !== word.readUInt32LE(508)) lost++
  }
  t.equal(lost, 0)
  t.ok(acknowledged.size > 1000, `${acknowledged.size} sectors were acknowledged`)
  await volume.flush()
  t.same(
    bits(dataDir, 'bitmap.durable'),
    bits(dataDir, 'bitmap'),
    'the next flush brings the durable bitmap up to date',
  )
  await engine.close()
})

t.test('flushes at the same time share a run; one that comes during a run waits for the next', async t => {
  let syncs = 0
  const { engine } = bench(place(), { sync: async () => void syncs++ })
  await engine.open(spec('disk'))
  await engine.flush('disk')
  t.equal(
    syncs,
    2,
    'the first flush syncs the durable bitmap too: an earlier server may have been killed before it did',
  )
  syncs = 0
  await Promise.all(Array.from({ length: 50 }, () => engine.flush('disk')))
  t.equal(syncs, 1)
  const first = engine.flush('disk')
  while (syncs === 1) await Promise.resolve()
  await Promise.all([first, engine.flush('disk'), engine.flush('disk')])
  t.equal(syncs, 3)
  await engine.close()
})

t.test('data is synced before the durable bitmap is written', async t => {
  const dataDir = place()
  const seen: number[] = []
  const { engine, workers } = bench(dataDir, {
    sync: async () => void seen.push(bits(dataDir, 'bitmap.durable')[0] ?? -1),
  })
  const volume = workers.borrow(await engine.open(spec('disk')))
  await volume.write(0, bytes(1), 0, 4096)
  await volume.flush()
  t.same(seen, [0, 0xff])
  await engine.close()
})

t.test('after a failed sync of the durable bitmap the next flush writes and syncs it again', async t => {
  const dataDir = place()
  let calls = 0
  const sync = async () => {
    if (++calls === 4) throw new Error('EIO')
  }
  const { engine, workers } = bench(dataDir, { sync })
  const volume = workers.borrow(await engine.open(spec('disk')))
  await volume.flush()
  await volume.write(0, bytes(1), 0, 4096)
  await t.rejects(async () => volume.flush(), { name: 'VolumeError', code: 'io-write' })
  t.equal(calls, 4)
  await volume.flush()
  t.equal(calls, 6, 'the page looks right in the file, and the kernel counts it as clean')
  t.equal(bits(dataDir, 'bitmap.durable')[0], 0xff)
  await engine.close()
})

t.test('after a failed sync of the data no flush succeeds until the volume is opened again', async t => {
  const dataDir = place()
  let fail = true
  const sync = async () => {
    if (fail) throw new Error('EIO')
  }
  const { engine, workers } = bench(dataDir, { sync })
  const volume = workers.borrow(await engine.open(spec('disk')))
  await volume.write(0, bytes(1), 0, 4096)
  await t.rejects(async () => volume.flush(), { code: 'io-write' })
  fail = false
  await t.rejects(async () => volume.flush(), { code: 'io-write', message: /opened again/ })
  t.equal(bits(dataDir, 'bitmap.durable')[0], 0)
  await t.rejects(engine.destroy('disk'), { code: 'io' })
  await engine.open(spec('disk'))
  await engine.flush('disk')
  t.equal(bits(dataDir, 'bitmap.durable')[0], 0xff)
  await t.rejects(engine.flush('other'), RpcError)
  await engine.close()
})

function writeWhole(path: string, data: Buffer): void {
  const fd = openSync(path, 'w')
  writeSync(fd, data)
  closeSync(fd)
}

const NAMES = ['overlay', 'bitmap', 'bitmap.durable'].map(name => join('volumes/disk', name))

function snapshot(dataDir: string): Buffer[] {
  return NAMES.map(name => readFileSync(join(dataDir, name)))
}

function restore(dataDir: string, files: Buffer[]): void {
  for (const [index, data] of files.entries()) {
    const fd = openSync(join(dataDir, NAMES[index] ?? ''), 'r+')
    writeSync(fd, data, 0, data.length, 0)
    const back = Buffer.alloc(data.length)
    readSync(fd, back, 0, back.length, 0)
    if (!back.equals(data)) throw new Error('the snapshot was not restored')
    closeSync(fd)
  }
}

async function writes(child: ChildProcess, count: number): Promise<void> {
  for (let seen = 0; seen < count; seen++) await once(child, 'message')
}
