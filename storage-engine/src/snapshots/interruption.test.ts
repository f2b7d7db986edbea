/**
 * Snapshots and resizes that are interrupted before each change that the engine makes in its data directory: whatever is there then is copied, and an engine
 * is started on the copy, once as after `kill -9`, once as after a power cut (another boot, and live bitmaps that cannot be trusted). Which
 * changes a disk may lose or reorder that were not synced is not tried here: test/src/chaos does.
 */
import { execFileSync } from 'node:child_process'
import fs, { closeSync, existsSync, openSync, readdirSync, readlinkSync, statSync, writeSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Bench, bench, bytes, MIB, remove, spec, temporaryDirectory } from '../test-bench.js'

/** What changes something that a new process would see; a sync does not. */
const CHANGES = ['renameSync', 'mkdirSync', 'rmSync', 'ftruncateSync', 'writeFileSync', 'writeSync'] as const
type Call = (...args: unknown[]) => unknown

/** Runs `action` and calls `before` ahead of each synchronous change of a file by this process. */
async function interrupted(action: () => Promise<unknown>, before: (name: string) => void): Promise<void> {
  const original = new Map(CHANGES.map(name => [name, fs[name] as Call]))
  const calls = fs as unknown as Record<string, Call>
  let armed = true
  for (const [name, call] of original) {
    calls[name] = (...args) => {
      if (armed) {
        armed = false
        try {
          before(name)
        } finally {
          armed = true
        }
      }
      return call(...args)
    }
  }
  syncBuiltinESMExports()
  try {
    await action()
  } finally {
    for (const [name, call] of original) calls[name] = call
    syncBuiltinESMExports()
  }
}

const copy = (from: string, to: string) => execFileSync('cp', ['-a', '--sparse=always', from, to])

function scrambleLiveBitmaps(dataDir: string): void {
  for (const name of readdirSync(join(dataDir, 'volumes'))) {
    const path = join(dataDir, 'volumes', name, 'bitmap')
    if (!existsSync(path)) continue
    const fd = openSync(path, 'r+')
    writeSync(fd, bytes(0xff, 4096), 0, 4096, 4096)
    closeSync(fd)
  }
}

/** Three volumes with two generations of data, the first of them flushed long ago. */
async function prepared(dataDir: string): Promise<Bench> {
  const made = bench(dataDir, { bootId: 'boot-1' })
  for (const name of ['a', 'b', 'c']) {
    const volume = made.workers.borrow(await made.engine.open(spec(name, { sizeBytes: MIB })))
    await volume.write(0, bytes(1, 8192), 0, 8192)
    await volume.flush()
    await volume.write(4096, bytes(2, 8192), 0, 8192)
  }
  return made
}

const FLUSHED = Buffer.alloc(16384).fill(1, 0, 8192)
const WRITTEN = Buffer.alloc(16384).fill(1, 0, 4096).fill(2, 4096, 12288)

/** Whether each sector is one of those. */
const isOldOrNew = (found: Buffer) => found.every((byte, at) => byte === FLUSHED[at] || byte === WRITTEN[at])

/** Opens everything on a copy as it was found, and looks whether it is whole; then whether it can be used and snapshots be taken. */
async function examine(dataDir: string, bootId: string): Promise<{ snapshots: string[]; sizes: number[] }> {
  const lossy = bootId !== 'boot-1'
  const { engine, workers } = bench(dataDir, { bootId })
  const sizes: number[] = []
  const volumes = []
  for (const name of ['a', 'b', 'c']) {
    const volume = workers.borrow(await engine.reopen(name))
    volumes.push(volume)
    sizes.push(volume.sizeBytes)
    const target = bytes(0xee, 16384)
    await volume.read(0, target, 0, 16384)
    // A power cut takes what nobody has flushed; a snapshot has flushed, which the content of its clones shows.
    if (!target.equals(WRITTEN) && !(lossy && isOldOrNew(target))) throw new Error(`volume ${name} is not what it was`)
    await volume.write(8192, bytes(9), 0, 4096)
    await volume.flush()
  }
  const { snapshots, damaged } = await engine.snapshots.list()
  if (damaged.length > 0) throw new Error(damaged[0]?.why)
  for (const { snapshotId } of snapshots) {
    const clone = workers.borrow(
      await engine.open(spec(`of-${snapshotId}`, { sizeBytes: MIB, baseSnapshot: snapshotId })),
    )
    const target = bytes(0xee, 16384)
    await clone.read(0, target, 0, 16384)
    if (!target.equals(WRITTEN)) throw new Error(`snapshot ${snapshotId} is not what was taken`)
  }
  await engine.snapshots.take([{ volumeId: 'a', snapshotId: 'later' }])
  await engine.snapshots.resize('a', 4 * MIB)
  const target = bytes(0xee, 4096)
  for (const volume of volumes) {
    await volume.read(8192, target, 0, 4096)
    if (target.some(byte => byte !== 9)) throw new Error('what was written after the interruption is lost')
  }
  await engine.close()
  if (existsSync(join(dataDir, 'switch.json')) || readdirSync(join(dataDir, 'volumes/a')).includes('next'))
    throw new Error('something is left over')
  return { snapshots: snapshots.map(snapshot => snapshot.snapshotId).sort(), sizes }
}

async function everywhere(
  t: Test,
  action: (bench: Bench) => Promise<unknown>,
  judge: (found: Awaited<ReturnType<typeof examine>>) => 'old' | 'new' | 'torn',
): Promise<void> {
  // In memory, where a sync takes no time: there are hundreds.
  const root = temporaryDirectory('/dev/shm')
  t.teardown(() => remove(root))
  const dataDir = join(root, 'data')
  const made = await prepared(dataDir)
  const points: string[] = []
  await interrupted(
    () => action(made),
    name => {
      copy(dataDir, join(root, `kill-${points.length}`))
      points.push(name)
    },
  )
  await made.engine.close()
  const verdicts: string[] = []
  for (const [index, name] of points.entries()) {
    copy(join(root, `kill-${index}`), join(root, `power-${index}`))
    scrambleLiveBitmaps(join(root, `power-${index}`))
    for (const [kind, bootId] of [
      ['kill', 'boot-1'],
      ['power', 'boot-2'],
    ] as const) {
      const verdict = await examine(join(root, `${kind}-${index}`), bootId).then(judge, (error: Error) => error.message)
      if (verdict !== 'old' && verdict !== 'new') t.fail(`${kind} before ${name} (${index}): ${verdict}`)
      if (kind === 'kill') verdicts.push(verdict)
    }
  }
  const turn = verdicts.indexOf('new')
  t.ok(turn > 0 && verdicts.lastIndexOf('old') === turn - 1, `old before one point and new after it: ${verdicts}`)
  t.ok(points.length > 12, `${points.length} points`)
}

t.test('a snapshot of two volumes that is interrupted anywhere has happened for both or for none', t =>
  everywhere(
    t,
    ({ engine }) =>
      engine.snapshots.take([
        { volumeId: 'a', snapshotId: 'snap-a' },
        { volumeId: 'b', snapshotId: 'snap-b' },
      ]),
    ({ snapshots }) => (snapshots.length === 0 ? 'old' : `${snapshots}` === 'snap-a,snap-b' ? 'new' : 'torn'),
  ),
)

t.test('a resize that is interrupted anywhere has happened or has not', t =>
  everywhere(
    t,
    ({ engine }) => engine.snapshots.resize('c', 20 * MIB),
    ({ sizes }) => (sizes[2] === MIB ? 'old' : sizes[2] === 20 * MIB ? 'new' : 'torn'),
  ),
)

t.test(
  'a change that was decided and cannot be finished closes its volumes, and the next opening finishes it',
  async t => {
    const dataDir = temporaryDirectory('/dev/shm')
    t.teardown(() => remove(dataDir))
    const { engine, workers } = await prepared(dataDir)
    const volume = workers.borrow(await engine.reopen('a'))
    const other = workers.borrow(await engine.reopen('c'))
    const fail = (name: string) => {
      if (name === 'mkdirSync' && existsSync(join(dataDir, 'switch.json')))
        throw Object.assign(new Error('EIO: a broken disk'), { code: 'EIO' })
    }
    const take = () => engine.snapshots.take([{ volumeId: 'a', snapshotId: 'snap' }])
    await t.rejects(interrupted(take, fail), { code: 'io', message: /decided and cannot be finished.*broken disk/ })
    t.throws(() => volume.read(0, bytes(0), 0, 4096), { code: 'gone' })
    await other.write(0, bytes(3), 0, 4096)
    await interrupted(async () => {
      await t.rejects(engine.reopen('a'), { code: 'io', message: /volume a is refused/ })
      await t.rejects(engine.snapshots.resize('c', 2 * MIB), { code: 'io' }, 'nothing else is changed before that')
      await engine.reopen('c')
    }, fail)
    const again = workers.borrow(await engine.reopen('a'))
    const target = bytes(0xee, 16384)
    await again.read(0, target, 0, 16384)
    t.equal(target.equals(WRITTEN), true)
    t.match((await engine.snapshots.list()).snapshots, [{ snapshotId: 'snap' }])
    await again.write(0, bytes(4), 0, 4096)
    await engine.close()
  },
)

t.test('a change that cannot be noted is none', async t => {
  const dataDir = temporaryDirectory('/dev/shm')
  t.teardown(() => remove(dataDir))
  const { engine, workers } = await prepared(dataDir)
  const volume = workers.borrow(await engine.reopen('c'))
  const { control } = volume
  const full = (name: string) => {
    if (name === 'writeFileSync') throw Object.assign(new Error('no room'), { code: 'ENOSPC' })
  }
  for (const change of [
    () => engine.snapshots.take([{ volumeId: 'c', snapshotId: 'snap' }]),
    () => engine.snapshots.resize('c', 2 * MIB),
  ]) {
    await t.rejects(interrupted(change, full), { code: 'space' })
    t.equal(volume.control, control)
    t.equal(statSync(join(dataDir, 'volumes/c/overlay')).size, MIB)
    t.notOk(readdirSync(join(dataDir, 'volumes/c')).includes('next'))
  }
  await volume.write(0, bytes(4), 0, 4096)
  await engine.close()
  const again = bench(dataDir, { bootId: 'boot-1' })
  t.same(await again.engine.snapshots.list(), { snapshots: [], damaged: [] })
  await again.engine.reopen('c')
  await again.engine.close()
})

t.test('everything is synced before a change is noted; without that there is none', async t => {
  const dataDir = temporaryDirectory('/dev/shm')
  t.teardown(() => remove(dataDir))
  const synced = new Map<string, number>()
  let broken = false
  const sync = async (fd: number) => {
    if (broken) throw new Error('EIO')
    const name = readlinkSync(`/proc/self/fd/${fd}`).replace(/.*\//, '')
    if (!existsSync(join(dataDir, 'switch.json'))) synced.set(name, (synced.get(name) ?? 0) + 1)
  }
  const { engine, workers } = bench(dataDir, { sync })
  const volume = workers.borrow(await engine.open(spec('disk', { sizeBytes: MIB })))
  await volume.write(0, bytes(1), 0, 4096)
  await engine.snapshots.take([{ volumeId: 'disk', snapshotId: 'snap' }])
  for (const name of ['overlay', 'bitmap', 'bitmap.durable']) t.ok(synced.get(name), `${name} before the decision`)
  t.ok(synced.get('overlay')! >= 2, 'before the gate closed and behind it')
  broken = true
  await volume.write(0, bytes(2), 0, 4096)
  await t.rejects(engine.snapshots.take([{ volumeId: 'disk', snapshotId: 'more' }]), { code: 'io' })
  t.notOk(existsSync(join(dataDir, 'snapshots/more')))
  const target = bytes(0)
  await volume.read(0, target, 0, 4096)
  t.equal(target[0], 2)
  await engine.close().catch(() => undefined)
})
