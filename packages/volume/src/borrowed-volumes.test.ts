import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RpcError, VOLUME_STAGE } from '@scsipub/contract'
import t from 'tap'
import { TestVolume, type TestVolumeOptions } from './test-engine.js'

const SIZE = 1 << 20
const descriptors = () => readdirSync('/proc/self/fd').length
const bytes = (fill: number, length = 4096) => Buffer.allocUnsafeSlow(length).fill(fill)

function make(options: Partial<TestVolumeOptions> = {}): TestVolume {
  const made = new TestVolume({ sizeBytes: SIZE, ...options })
  t.teardown(() => made.remove())
  return made
}

t.test('volumes that nobody writes to cost no descriptor, no mapping and no question to the engine', async t => {
  const made = make()
  const before = descriptors()
  const worker = made.worker(0)
  const loans = Array.from({ length: 1000 }, (_, index) => {
    const volume = worker.borrow({ ...made.descriptor, spec: { ...made.descriptor.spec, volumeId: `v${index}` } })
    const target = bytes(9)
    t.equal(volume.read(0, target, 0, 4096), undefined)
    if (target.some(byte => byte !== 0)) t.fail('a blank disk is zeros')
    return volume
  })
  t.equal(descriptors(), before)
  t.same([worker.count, worker.openFiles, made.asked], [1000, 0, []])
  for (const volume of loans) volume.release()
  t.equal(worker.count, 0)
})

t.test('volumes on one base share one descriptor, until the last is released', async t => {
  const basePath = join(make().directory, 'base')
  writeFileSync(basePath, bytes(3, SIZE))
  const made = make({ basePath })
  const worker = made.worker(0)
  const loans = ['a', 'b'].map(volumeId =>
    worker.borrow({ ...made.descriptor, spec: { ...made.descriptor.spec, volumeId } }),
  )
  for (const volume of loans) await volume.read(0, bytes(0), 0, 4096)
  t.equal(worker.openFiles, 1)
  loans[0]?.release()
  loans[0]?.release()
  t.equal(worker.openFiles, 1)
  loans[1]?.release()
  t.equal(worker.openFiles, 0)
})

t.test('first writes at the same time ask the engine once and land in order', async t => {
  const made = make()
  const volume = made.borrow()
  const writes = [1, 2, 3].map(fill => volume.write(0, bytes(fill), 0, 4096))
  const target = bytes(0)
  const read = volume.read(0, target, 0, 4096)
  await Promise.all([...writes, read])
  t.same(made.asked, ['volume.materialise'])
  t.equal(target[0], 3)
  t.equal(made.control.space.allocatedSectors, 8)
  volume.release()
})

t.test('what one worker wrote, a worker with an older descriptor reads', async t => {
  const made = make()
  const [first, second] = [made.borrow(0), made.borrow(1)]
  const target = bytes(7)
  t.equal(second.read(0, target, 0, 4096), undefined)
  await first.write(0, bytes(5), 0, 4096)
  await second.read(0, target, 0, 4096)
  t.equal(target[4095], 5)
  first.release()
  second.release()
})

t.test('when the files cannot be made, every waiting write fails with space, and reads go on', async t => {
  const made = make()
  made.before = async () => Promise.reject(new RpcError('space', 'the disk is full'))
  const volume = made.borrow()
  const target = bytes(9)
  const writes = [1, 2].map(fill => Promise.resolve(volume.write(0, bytes(fill), 0, 4096)))
  const read = Promise.resolve(volume.read(0, target, 0, 4096))
  for (const write of writes) await t.rejects(write, { name: 'VolumeError', code: 'space' })
  await read
  t.equal(target[0], 0)
  made.before = async () => undefined
  await volume.write(0, bytes(4), 0, 4096)
  t.same(made.asked.length, 2)
  t.equal(made.control.inFlight(), 0)
  volume.release()
})

t.test('a write beyond the quota is refused whole, and sectors that are there stay writable', async t => {
  const made = make({ quotaBytes: 8192 })
  const volume = made.borrow()
  await volume.write(0, bytes(1, 8192), 0, 8192)
  t.throws(() => volume.write(4096, bytes(2, 8192), 0, 8192), { code: 'space' })
  const target = bytes(0, 12288)
  await volume.read(0, target, 0, 12288)
  t.same([target[0], target[8191], target[8192]], [1, 1, 0])
  t.equal(volume.write(0, bytes(3, 8192), 0, 8192), undefined)
  t.equal(made.control.space.allocatedSectors, 16)
  volume.release()
})

t.test('behind a closed gate operations wait in order and hold nothing; the notice lets them go', async t => {
  const made = make()
  const worker = made.worker(0)
  const volume = worker.borrow(made.descriptor)
  await volume.write(0, bytes(1), 0, 4096)
  made.control.closeGate()
  const done: string[] = []
  const target = bytes(0)
  const waiting = [
    volume.write(0, bytes(2), 0, 4096)?.then(() => done.push('write 2')),
    volume.read(0, target, 0, 4096)?.then(() => done.push('read')),
    volume.write(0, bytes(3), 0, 4096)?.then(() => done.push('write 3')),
  ]
  t.equal(made.control.inFlight(), 0)
  worker.gateOpened('v')
  t.same(done, [], 'the gate is still closed')
  made.control.openGate()
  const late = volume.write(0, bytes(4), 0, 4096)?.then(() => done.push('write 4'))
  worker.gateOpened('v')
  await Promise.all([...waiting, late])
  t.same(done, ['write 2', 'read', 'write 3', 'write 4'], 'nobody overtakes')
  t.equal(target[0], 2)
  volume.release()
})

t.test('a missed notice delays and does not hang', async t => {
  const made = make()
  const volume = made.borrow()
  await volume.write(0, bytes(1), 0, 4096)
  made.control.closeGate()
  const write = volume.write(0, bytes(2), 0, 4096)
  made.control.openGate()
  await write
  t.equal(made.control.inFlight(), 0)
  volume.release()
})

t.test('who waits for a volume that is destroyed is told so', async t => {
  const made = make()
  const volume = made.borrow()
  made.control.closeGate()
  const read = Promise.resolve(volume.read(0, bytes(0), 0, 4096))
  made.control.stage = VOLUME_STAGE.gone
  made.control.openGate()
  await t.rejects(read, { code: 'gone' })
  t.throws(() => volume.write(0, bytes(0), 0, 4096), { code: 'gone' })
  t.equal(made.control.inFlight(), 0)
  volume.release()
})

t.test('a released volume does what was asked before and then closes its files', async t => {
  const made = make()
  const before = descriptors()
  const volume = made.borrow()
  const write = volume.write(0, bytes(6), 0, 4096)
  volume.release()
  await write
  t.equal(descriptors(), before)
  t.notMatch(readFileSync('/proc/self/maps', 'utf8'), made.directory)
  t.throws(() => volume.read(0, bytes(0), 0, 4096), /released/)
  t.equal(readFileSync(join(made.directory, 'overlay'))[0], 6)
})

t.test('a range that does not fit is a bug of the caller', async t => {
  const volume = make().borrow()
  const buffer = bytes(0)
  for (const [position, offset, length] of [
    [SIZE, 0, 512],
    [1, 0, 512],
    [0, 0, 100],
    [-512, 0, 512],
    [0, 3600, 512],
    [Number.NaN, 0, 512],
  ] as const) {
    t.throws(() => volume.read(position, buffer, offset, length), RangeError)
    t.throws(() => volume.write(position, buffer, offset, length), RangeError)
  }
  volume.release()
})

t.test('a flush asks the engine for persistent volumes alone', async t => {
  const ephemeral = make()
  t.equal(ephemeral.borrow().flush(), undefined)
  const persistent = make({ persistence: 'persistent' })
  const volume = persistent.borrow()
  await volume.flush()
  t.same(persistent.asked, ['volume.flush'])
  persistent.before = async () => Promise.reject(new RpcError('io', 'it broke'))
  await t.rejects(Promise.resolve(volume.flush()), { code: 'io-write' })
})

t.test('every write marks its pages on a persistent volume, also when no bit is new', async t => {
  const persistent = make({ persistence: 'persistent', sizeBytes: 64 << 20 })
  const volume = persistent.borrow()
  await volume.write((16 << 20) - 512, bytes(1), 0, 1024)
  t.same(persistent.control.dirty.take(), [0, 1])
  await volume.write(16 << 20, bytes(1), 0, 512)
  t.same(persistent.control.dirty.take(), [1])
  volume.release()
  const ephemeral = make()
  await ephemeral.borrow().write(0, bytes(1), 0, 512)
  t.same(ephemeral.control.dirty.take(), [])
})

t.test('a base that is missing or cut short is a read error', async t => {
  const missing = make({ basePath: '/nonexistent/base' })
  t.throws(() => missing.borrow().read(0, bytes(0), 0, 4096), { code: 'io-read', message: /nonexistent/ })
  t.equal(missing.control.inFlight(), 0)
  const basePath = join(missing.directory, 'base')
  writeFileSync(basePath, bytes(1, SIZE))
  const volume = make({ basePath }).borrow()
  await volume.read(0, bytes(0), 0, 4096)
  writeFileSync(basePath, bytes(1, 512))
  await t.rejects(async () => volume.read(4096, bytes(0), 0, 4096), { code: 'io-read', message: /had 1048576 bytes/ })
})

t.test('a full file system is space, with the charge given back and the old sectors readable', async t => {
  if (process.getuid?.() !== 0) return t.fail('this test mounts a small tmpfs: run it as root')
  const parent = mkdtempSync(join(tmpdir(), 'scsipub-full-'))
  mkdirSync(join(parent, 'mnt'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', join(parent, 'mnt')])
  t.teardown(() => {
    execFileSync('umount', [join(parent, 'mnt')])
    rmSync(parent, { recursive: true })
  })
  const made = make({ parent: join(parent, 'mnt') })
  const volume = made.borrow()
  await volume.write(0, bytes(1), 0, 4096)
  t.throws(() => volume.write(0, bytes(2, SIZE), 0, SIZE), { code: 'space' })
  t.equal(made.control.space.allocatedSectors, 8)
  const target = bytes(9, SIZE)
  await volume.read(0, target, 0, SIZE)
  t.equal(
    target.subarray(4096).every(byte => byte === 0),
    true,
    'what the failed write left is not shown',
  )
  t.equal(volume.write(0, bytes(3), 0, 4096), undefined, 'sectors that are there can be written')
  volume.release()
})

t.test('a cold read is left to the thread pool, holds the counter, and keeps the files open', async t => {
  const made = make()
  const volume = made.borrow()
  await volume.write(0, bytes(8, SIZE), 0, SIZE)
  execFileSync('sync', [join(made.directory, 'overlay')])
  execFileSync('dd', [
    `of=${join(made.directory, 'overlay')}`,
    'oflag=nocache',
    'conv=notrunc,fdatasync',
    'count=0',
    'status=none',
  ])
  const target = bytes(0, SIZE)
  const cold = volume.read(0, target, 0, SIZE)
  if (cold === undefined) return t.pass('the temporary directory is in memory: nothing is ever cold')
  t.equal(made.control.inFlight(), 1)
  volume.release()
  await cold
  t.equal(made.control.inFlight(), 0)
  t.equal(
    target.every(byte => byte === 8),
    true,
  )
  t.notMatch(readFileSync('/proc/self/maps', 'utf8'), made.directory)
})

t.test('while it is held, the gate closes before nobody: reads of the holder go on, and the engine waits', async t => {
  const made = make()
  const volume = made.borrow()
  await volume.write(0, bytes(1), 0, 4096)
  t.equal(volume.hold(false), true)
  made.control.closeGate()
  const queued = volume.write(0, bytes(2), 0, 4096)
  t.equal(queued, undefined, 'what comes while it is held is not too late')
  t.equal(volume.read(0, bytes(0), 0, 4096), undefined)
  t.equal(volume.hold(true), true, 'held once more')
  volume.unhold()
  t.equal(made.control.inFlight(), 1, 'the engine waits for this one')
  volume.unhold()
  t.equal(made.control.inFlight(), 0)
  t.equal(volume.hold(false), false, 'the engine goes first')
  t.equal(made.control.inFlight(), 0, 'and nothing is held')
  made.control.openGate()
})

t.test('a refused hold may be tried again when the gate is open, in its turn', async t => {
  const made = make()
  const volume = made.borrow()
  await volume.write(0, bytes(1), 0, 4096)
  made.control.closeGate()
  const events: string[] = []
  const write = volume.write(0, bytes(2), 0, 4096)?.then(() => events.push('write'))
  const admission = volume.admission().then(() => events.push(`admission, ${volume.hold(false)}`))
  t.equal(volume.hold(false), false)
  await new Promise(resolve => setTimeout(resolve, 50))
  t.same(events, [])
  made.control.openGate()
  await Promise.all([write, admission])
  t.same(events, ['write', 'admission, true'])
  volume.unhold()
  t.equal(made.control.inFlight(), 0)
})

t.test('admission does not pass a closed gate on account of another holder', async t => {
  const made = make()
  const volume = made.borrow()
  t.equal(volume.hold(false), true)
  made.control.closeGate()
  let admitted = false
  const admission = volume.admission().then(() => {
    admitted = true
  })
  await new Promise(resolve => setTimeout(resolve, 50))
  t.equal(admitted, false)
  t.equal(volume.read(0, bytes(0), 0, 4096), undefined, 'the holder does not queue behind it')
  volume.unhold()
  made.control.openGate()
  await admission
})
