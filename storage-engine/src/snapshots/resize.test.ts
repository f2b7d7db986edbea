import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { UNIT_STATE } from '@scsipub/contract'
import t from 'tap'
import { bench, bytes, MIB, remove, spec, temporaryDirectory } from '../test-bench.js'

function place(): string {
  const directory = temporaryDirectory()
  t.teardown(() => remove(directory))
  return directory
}

t.test(
  'a volume grows while it is borrowed; what was there stays, and what is new is zeros that can be written',
  async t => {
    const dataDir = place()
    const { engine, workers } = bench(dataDir)
    const before = await engine.open(spec('disk', { quotaBytes: 64 * MIB }))
    const disk = workers.borrow(before)
    await disk.write(4 * MIB - 4096, bytes(1), 0, 4096)
    await disk.exclusive({ name: 'unmap', ranges: [{ position: 4 * MIB - 2048, length: 2048 }], anchor: false })
    t.equal(disk.usage.usedBytes, 2048)
    t.throws(() => disk.write(4 * MIB, bytes(2), 0, 4096), RangeError)
    t.equal(await engine.snapshots.resize('disk', 48 * MIB), true)
    t.equal(await engine.snapshots.resize('disk', 48 * MIB), false, 'asked again, there is nothing to do')
    t.same([disk.sizeBytes, disk.usage], [48 * MIB, { usedBytes: 2048, quotaBytes: 64 * MIB }])
    const target = bytes(0xee, 8192)
    await disk.read(4 * MIB - 4096, target, 0, 8192)
    t.same([target[0], target[2047], target[2048], target[4096], target[8191]], [1, 1, 0, 0, 0])
    await disk.write(48 * MIB - 4096, bytes(2), 0, 4096)
    await disk.write(4 * MIB - 512, bytes(3, 1024), 0, 1024)
    t.equal(disk.usage.usedBytes, 2048 + 4096 + 1024)
    const after = await engine.open(spec('disk', { sizeBytes: 48 * MIB, quotaBytes: 64 * MIB }))
    t.same(after.identity, before.identity)
    await t.rejects(engine.open(spec('disk')), { code: 'mismatch' })
    await disk.flush()
    await engine.close()
    const again = bench(dataDir, { bootId: 'another start of the machine' })
    const volume = again.workers.borrow(await again.engine.reopen('disk'))
    await volume.read(4 * MIB - 4096, target, 0, 8192)
    t.same([target[0], target[2048], target[3584], target[4607], target[4608]], [1, 0, 3, 3, 0])
    await volume.read(48 * MIB - 4096, target, 0, 4096)
    t.equal(target[4095], 2)
    await again.engine.close()
  },
)

t.test('a size that cannot be is refused with the reason, and nothing changes', async t => {
  const dataDir = place()
  const { engine, workers } = bench(dataDir)
  const disk = workers.borrow(await engine.open(spec('disk', { blockBytes: 4096 })))
  for (const [sizeBytes, message] of [
    [MIB, /cannot shrink/],
    [8 * MIB + 512, /multiple of 4096/],
    [2 ** 45, /at most/],
    [Number.NaN, /multiple/],
  ] as const)
    await t.rejects(engine.snapshots.resize('disk', sizeBytes), { code: 'bad-request', message })
  await engine.open(spec('scratch', { persistence: 'ephemeral' }))
  await t.rejects(engine.snapshots.resize('scratch', 8 * MIB), { code: 'bad-request' })
  await t.rejects(engine.snapshots.resize('unknown', 8 * MIB), { code: 'gone' })
  const limitFiles = (fsize: string) => execFileSync('prlimit', [`--pid=${process.pid}`, `--fsize=${fsize}:`])
  process.on('SIGXFSZ', () => {})
  limitFiles(String(16 * MIB)) // longer than the bitmaps, and not than the overlay
  await t.rejects(engine.snapshots.resize('disk', 64 * MIB), { code: 'io', message: /EFBIG/ })
  limitFiles('unlimited')
  t.equal(statSync(join(dataDir, 'volumes/disk/overlay')).size, 4 * MIB)
  await disk.write(0, bytes(1), 0, 4096)
  await engine.close()
  const again = bench(dataDir)
  await again.engine.reopen('disk')
  await again.engine.close()
})

t.test('reservations and the state of the unit are carried over, and changes of them go on', async t => {
  const { engine, workers } = bench(place())
  const disk = workers.borrow(await engine.open(spec('disk')))
  const unit = await engine.unit('disk')
  const { reservations } = await engine.volume('disk')
  const [key, other] = ['00000000000000aa', '00000000000000bb']
  const flags = { ignoreKey: false, persist: true, allTargetPorts: false }
  await reservations.change('iqn.a,i,0x1', { name: 'register', key: '0'.repeat(16), newKey: key, ...flags })
  await reservations.change('iqn.a,i,0x1', { name: 'reserve', key, scope: 0, type: 5 })
  unit.setMode({ softwareWriteProtect: true, descriptorSense: false })
  unit.prevent({ sessionId: 7, slot: 0 }, true)
  const carried = (what: string) => {
    t.equal(disk.control.unitState & UNIT_STATE.softwareWriteProtect, UNIT_STATE.softwareWriteProtect, what)
    t.equal(disk.control.anyReservation, true)
    t.throws(() => disk.write(0, bytes(1), 0, 4096), { code: 'reserved' })
  }
  await engine.snapshots.take([{ volumeId: 'disk', snapshotId: 'snap' }])
  carried('after a snapshot')
  await engine.snapshots.resize('disk', 8 * MIB)
  carried('after a resize')
  await t.rejects(unit.eject(), { code: 'prevented' })
  unit.setMode({ softwareWriteProtect: false, descriptorSense: true })
  t.equal(disk.control.unitState & UNIT_STATE.softwareWriteProtect, 0)
  t.equal(disk.control.unitState & UNIT_STATE.descriptorSense, UNIT_STATE.descriptorSense)
  await reservations.change('iqn.b,i,0x1', { name: 'register', key: '0'.repeat(16), newKey: other, ...flags })
  await reservations.change('iqn.b,i,0x1', {
    name: 'preempt',
    key: other,
    victimKey: key,
    scope: 0,
    type: 5,
    abort: true,
  })
  await reservations.change('iqn.b,i,0x1', { name: 'clear', key: other })
  await disk.write(0, bytes(1), 0, 4096)
  t.equal(disk.control.anyReservation, false)
  disk.hold(false)
  await engine.detach(0)
  t.equal(disk.control.inFlight(), 0, 'a dead worker is taken out of the block of now')
  await engine.close()
})

t.test('neither happens while the disk is being sanitized', async t => {
  const { engine, workers } = bench(place())
  const overwrite = { name: 'sanitize', method: 'overwrite', data: bytes(0, 512), allowExit: true } as const
  // It takes more than a minute, and is broken off by the end of the engine.
  await workers.borrow(await engine.open(spec('large', { sizeBytes: 4096 * MIB }))).exclusive(overwrite)
  await t.rejects(engine.snapshots.take([{ volumeId: 'large', snapshotId: 'snap' }]), { code: 'sanitizing' })
  await t.rejects(engine.snapshots.resize('large', 8192 * MIB), { code: 'sanitizing' })
  await workers.borrow(await engine.open(spec('disk'))).exclusive(overwrite)
  await engine.sanitized('disk')
  await engine.snapshots.take([{ volumeId: 'disk', snapshotId: 'snap' }])
  await engine.close()
})
