// WRITE ATOMIC: all of it or nothing, over errors, kill -9 and power cuts at each instant [SBC-4 §4.29].

import { cpSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { BorrowedVolume } from '@scsipub/volume'
import t from 'tap'
import { syncData } from './sync.js'
import { bench, bytes, MIB, remove, spec, temporaryDirectory } from './test-bench.js'

const AT = 64 << 10
const LENGTH = 128 << 10
const NEW = bytes(0x77, LENGTH)
const FILES = ['overlay', 'bitmap', 'bitmap.durable', 'intent']

function place(): string {
  const directory = temporaryDirectory()
  t.teardown(() => remove(directory))
  return directory
}

async function content(volume: BorrowedVolume): Promise<Buffer> {
  const target = bytes(0xee, LENGTH)
  await volume.read(AT, target, 0, LENGTH)
  return target
}

const write = (volume: BorrowedVolume) => volume.exclusive({ name: 'writeAtomic', position: AT, data: NEW })

/** A data directory with a volume of which half the extent was written before, and a base below the rest. */
async function prepared(): Promise<{ dataDir: string; basePath: string; old: Buffer }> {
  const dataDir = place()
  const basePath = join(dataDir, 'base')
  writeFileSync(basePath, bytes(0x11, MIB))
  const { engine, workers } = bench(dataDir, { bootId: 'one' })
  const volume = workers.borrow(await engine.open(spec('disk', { sizeBytes: MIB, basePath })))
  for (let at = 0; at < LENGTH; at += 8192) await volume.write(AT + at, bytes(0x22), 0, 4096)
  const old = await content(volume)
  await engine.close()
  return { dataDir, basePath, old }
}

const read = (directory: string): Map<string, Buffer> => {
  const present = readdirSync(directory)
  return new Map(FILES.filter(name => present.includes(name)).map(name => [name, readFileSync(join(directory, name))]))
}

/** What the disk may hold of a file after a power cut: some of the blocks that were not synced. */
function mixture(durable: Buffer | undefined, current: Buffer, keep: (block: number) => boolean): Buffer {
  // A file that was cut short may still be as long as it was.
  const mixed = Buffer.alloc(keep(0) || !durable ? current.length : Math.max(current.length, durable.length))
  durable?.copy(mixed)
  for (let at = 0; at < current.length; at += 512) if (keep(at / 512)) current.copy(mixed, at, at, at + 512)
  return mixed
}

/** Which unsynced blocks of which file have reached the disk when the power goes. */
const losses: Record<string, (file: string, block: number) => boolean> = {
  'nothing unsynced is there': () => false,
  'everything unsynced is there': () => true,
  'every other block': (_file, block) => block % 2 === 0,
  'the first half': (_file, block) => block < (AT + LENGTH / 2) / 512,
  'the overlay and not the intent': file => file === 'overlay',
  'the intent and not the overlay': file => file === 'intent',
  'the bitmap and not the overlay': file => file.startsWith('bitmap'),
}

/** Runs an atomic write that stops for ever at sync number `stopAt`, before or after it took effect, and gives what is in the files and on the disk. */
async function interrupted(stopAt: number, effect: 'before' | 'after') {
  const { dataDir, basePath, old } = await prepared()
  const directory = join(dataDir, 'volumes/disk')
  const durable = read(directory)
  let count = -1
  let stopped: () => void = () => undefined
  const stop = new Promise<void>(resolve => {
    stopped = resolve
  })
  const sync = async (fd: number) => {
    const file = readlinkSync(`/proc/self/fd/${fd}`)
    count++
    if (count === stopAt && effect === 'before') return forEver(stopped)
    await syncData(fd)
    durable.set(file.slice(directory.length + 1), readFileSync(file))
    if (count === stopAt) return forEver(stopped)
  }
  const { engine, workers } = bench(dataDir, { bootId: 'one', sync })
  const volume = workers.borrow(await engine.open(spec('disk', { sizeBytes: MIB, basePath })))
  count = 0
  const done = write(volume).then(() => true)
  const answered = await Promise.race([done, stop.then(() => false)])
  await setImmediate()
  return { directory, durable, current: read(directory), answered, basePath, old }
}

function forEver(stopped: () => void): Promise<void> {
  stopped()
  return new Promise(() => undefined)
}

/** Opens a volume of these files, as after a crash, and says what it holds; and again, after another one. @throws Error when that differs */
async function reopened(files: Map<string, Buffer>, from: { directory: string; basePath: string }, bootId: string) {
  const dataDir = place()
  const directory = join(dataDir, 'volumes/disk')
  cpSync(from.directory, directory, { recursive: true })
  remove(join(directory, 'intent'))
  for (const [name, bytes] of files) writeFileSync(join(directory, name), bytes)
  const { engine, workers } = bench(dataDir, { bootId })
  const volume = workers.borrow(await engine.open(spec('disk', { sizeBytes: MIB, basePath: from.basePath })))
  const found = await content(volume)
  await engine.close()
  const again = bench(dataDir, { bootId: 'later' })
  const kept = await content(
    again.workers.borrow(await again.engine.open(spec('disk', { sizeBytes: MIB, basePath: from.basePath }))),
  )
  await again.engine.close()
  if (!kept.equals(found)) throw new Error('what was recovered is lost at the next opening')
  return found
}

const SYNCS = 4

t.test('after a power cut at each sync, all of the write is there or nothing [SBC-4 §4.29]', async t => {
  for (let stopAt = 1; stopAt <= SYNCS; stopAt++) {
    for (const effect of ['before', 'after'] as const) {
      const state = await interrupted(stopAt, effect)
      t.equal(state.answered, false)
      for (const [loss, reached] of Object.entries(losses)) {
        const disk = new Map<string, Buffer>()
        for (const [file, current] of state.current)
          disk.set(
            file,
            mixture(state.durable.get(file), current, block => reached(file, block)),
          )
        const found = await reopened(disk, state, 'two')
        const which = found.equals(NEW) ? 'new' : found.equals(state.old) ? 'old' : 'mixed'
        t.not(which, 'mixed', `${effect} sync ${stopAt}, ${loss}: ${which}`)
        if (stopAt > 1 || effect === 'after') t.equal(which, 'new', 'the intent was durable')
      }
    }
  }
})

t.test('when it is answered it is durable: that is what FUA asks for [SBC-4 §5.48]', async t => {
  const state = await interrupted(SYNCS + 1, 'before')
  t.equal(state.answered, true, `it takes ${SYNCS} syncs`)
  t.ok((await reopened(state.durable, state, 'two')).equals(NEW))
})

t.test('after kill -9 at each instant, all of the write is there or nothing [SBC-4 §4.29]', async t => {
  for (let stopAt = 1; stopAt <= SYNCS; stopAt++) {
    const state = await interrupted(stopAt, 'after')
    t.ok((await reopened(state.current, state, 'one')).equals(NEW), `after sync ${stopAt}`)
    if (stopAt > 1) continue
    // Killed while it writes to the overlay: some of the data is there, some bits are set.
    for (const length of [512, LENGTH / 2, LENGTH - 512]) {
      const overlay = Buffer.from(state.durable.get('overlay')!)
      NEW.copy(overlay, AT, 0, length)
      const half = new Map([...state.current, ['overlay', overlay]])
      t.ok((await reopened(half, state, 'one')).equals(NEW), `${length} bytes of it written`)
    }
    // Killed while it writes the intent: the header is the last of it.
    const whole = state.current.get('intent')!
    for (const [what, damage] of [
      ['without its header', (intent: Buffer) => intent.fill(0, 0, 64)],
      ['with a part of its data', (intent: Buffer) => intent.subarray(0, 9000)],
      ['with other data', (intent: Buffer) => intent.fill(1, 5000, 5001)],
      ['with a wrong place', (intent: Buffer) => intent.fill(1, 16, 17)],
      ['empty', (intent: Buffer) => intent.subarray(0, 0)],
    ] as const) {
      const files = new Map([...state.current, ['intent', damage(Buffer.from(whole))]])
      t.ok((await reopened(files, state, 'one')).equals(state.old), `an intent ${what} counts for nothing`)
    }
  }
})

t.test('what a killed server left of an intent, or cleared of it, is durable before anything else is', async t => {
  const state = await interrupted(1, 'before')
  for (const [what, intent] of [
    ['whole', state.current.get('intent')!],
    ['cleared', Buffer.alloc(0)],
  ] as const) {
    const dataDir = place()
    const directory = join(dataDir, 'volumes/disk')
    cpSync(state.directory, directory, { recursive: true })
    for (const [name, content] of new Map([...state.current, ['intent', intent]]))
      writeFileSync(join(directory, name), content)
    const synced: string[] = []
    const sync = async (fd: number) => {
      const unchanged = readFileSync(join(directory, 'overlay')).equals(state.current.get('overlay')!)
      synced.push(
        `${readlinkSync(`/proc/self/fd/${fd}`).split('/').at(-1)}, overlay ${unchanged ? 'as it was' : 'written'}`,
      )
    }
    const { engine } = bench(dataDir, { bootId: 'one', sync })
    await engine.open(spec('disk', { sizeBytes: MIB, basePath: state.basePath }))
    t.equal(synced[0], 'intent, overlay as it was', what)
    await engine.close()
  }
})

t.test('an intent that was carried out does not come back over later writes', async t => {
  const { dataDir, basePath } = await prepared()
  const { engine, workers } = bench(dataDir, { bootId: 'one' })
  const volume = workers.borrow(await engine.open(spec('disk', { sizeBytes: MIB, basePath })))
  await write(volume)
  await volume.write(AT, bytes(0x55), 0, 4096)
  const killed = place()
  cpSync(dataDir, killed, { recursive: true })
  await engine.close()
  const second = bench(killed, { bootId: 'one' })
  const found = await content(
    second.workers.borrow(await second.engine.open(spec('disk', { sizeBytes: MIB, basePath }))),
  )
  t.same(found.subarray(0, 4096), bytes(0x55))
  await second.engine.close()
})

t.test('a sync that fails is an error, and the flushes after it fail too', async t => {
  for (let failAt = 1; failAt <= SYNCS; failAt++) {
    const { dataDir, basePath, old } = await prepared()
    let count = -1
    const sync = (fd: number) => (++count === failAt ? Promise.reject(new Error('EIO')) : syncData(fd))
    const { engine, workers } = bench(dataDir, { bootId: 'one', sync })
    const volume = workers.borrow(await engine.open(spec('disk', { sizeBytes: MIB, basePath })))
    count = 0
    await t.rejects(write(volume), { code: 'io-write' }, `sync ${failAt}`)
    const found = await content(volume)
    t.ok(found.equals(failAt === 1 ? old : NEW), 'all or nothing of it')
    await volume.write(AT, bytes(0x55), 0, 4096)
    const killed = place()
    cpSync(dataDir, killed, { recursive: true })
    await engine.close().catch(() => undefined)
    const second = bench(killed, { bootId: 'one' })
    const after = await content(
      second.workers.borrow(await second.engine.open(spec('disk', { sizeBytes: MIB, basePath }))),
    )
    t.same(after.subarray(0, 4096), bytes(0x55), 'a write that was answered later is not undone')
    await second.engine.close()
  }
})

t.test('without quota or room nothing is done [SBC-3 §4.7.3.6]', async t => {
  for (const persistence of ['ephemeral', 'persistent'] as const) {
    const dataDir = place()
    const { engine, workers } = bench(dataDir)
    const quotaBytes = LENGTH - 512
    const volume = workers.borrow(await engine.open(spec('disk', { sizeBytes: MIB, quotaBytes, persistence })))
    await volume.write(AT, bytes(1), 0, 4096)
    const old = await content(volume)
    await t.rejects(write(volume), { code: 'space' })
    t.ok((await content(volume)).equals(old), persistence)
    await volume.write(AT + 4096, bytes(1), 0, 4096)
    t.equal((await content(volume))[4096], 1, 'the quota is not used up by it')
    await engine.close()
  }
})
