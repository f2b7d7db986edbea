import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { DataDirectoryError } from './data-directory.js'
import { StorageEngine } from './storage-engine.js'
import { bench, bytes, MIB, remove, spec, temporaryDirectory } from './test-bench.js'

function place(): string {
  const directory = temporaryDirectory()
  t.teardown(() => remove(directory))
  return directory
}

t.test('a persistent volume keeps its identity and its data over a restart; others have their own', async t => {
  const dataDir = place()
  const first = bench(dataDir)
  const descriptor = await first.engine.open(spec('disk'))
  const other = await first.engine.open(spec('other'))
  t.match(descriptor.identity, { naa: /^6[0-9a-f]{31}$/, serial: /^[0-9a-f]{32}$/ })
  t.not(descriptor.identity.naa, other.identity.naa)
  t.equal(await first.engine.open(spec('disk')), descriptor, 'opened twice, it is shared')
  const volume = first.workers.borrow(descriptor)
  await volume.write(4096, bytes(5), 0, 4096)
  volume.release()
  await first.engine.close()
  const second = bench(dataDir)
  const again = await second.engine.open(spec('disk'))
  t.same(again.identity, descriptor.identity)
  const target = bytes(0)
  await second.workers.borrow(again).read(4096, target, 0, 4096)
  t.equal(target[0], 5)
  await second.engine.close()
})

t.test('an ephemeral volume has no file until it is written to, and none after its end or a restart', async t => {
  const dataDir = place()
  const { engine, workers } = bench(dataDir)
  const files = () => readdirSync(join(dataDir, 'ephemeral'))
  const volume = workers.borrow(await engine.open(spec('scratch', { persistence: 'ephemeral' })))
  t.same(files(), [])
  await volume.write(0, bytes(1), 0, 4096)
  t.same(files(), ['scratch'])
  await engine.destroy('scratch')
  t.same(files(), [])
  await t.rejects(async () => volume.read(0, bytes(0), 0, 4096), { code: 'gone' })
  volume.release()
  await workers.borrow(await engine.open(spec('left', { persistence: 'ephemeral' }))).write(0, bytes(1), 0, 4096)
  mkdirSync(join(dataDir, 'ephemeral', 'stale'))
  mkdirSync(join(dataDir, 'volumes', '.making-x'))
  await engine.close()
  const second = bench(dataDir)
  t.same(files(), [])
  t.same(readdirSync(join(dataDir, 'volumes')), [])
  await second.engine.close()
})

t.test('what tokens of third-party copy stand for is gone after a restart', async t => {
  const dataDir = place()
  const { engine } = bench(dataDir)
  t.equal(engine.tokensFolder, join(dataDir, 'tokens'))
  mkdirSync(join(engine.tokensFolder, 'left'))
  await engine.close()
  const second = bench(dataDir)
  t.same(readdirSync(second.engine.tokensFolder), [])
  await second.engine.close()
})

t.test('the end of a persistent volume flushes and closes it, and it can be opened again', async t => {
  const dataDir = place()
  const { engine, workers } = bench(dataDir)
  const old = workers.borrow(await engine.open(spec('disk')))
  await old.write(0, bytes(1), 0, 4096)
  const ending = engine.destroy('disk')
  const again = await engine.open(spec('disk'))
  await ending
  const volume = workers.borrow(again)
  const target = bytes(0)
  await volume.read(0, target, 0, 4096)
  t.equal(target[0], 1)
  await t.rejects(async () => old.read(0, target, 0, 4096), { code: 'gone' })
  await engine.close()
})

t.test('other properties than the volume has are refused, with what to do', async t => {
  const dataDir = place()
  const first = bench(dataDir)
  await first.engine.open(spec('disk'))
  await t.rejects(first.engine.open(spec('disk', { blockBytes: 4096 })), { code: 'mismatch' })
  await first.engine.close()
  const { engine } = bench(dataDir)
  const larger = engine.open(spec('disk', { sizeBytes: 8 * MIB }))
  await t.rejects(larger, {
    code: 'mismatch',
    message: /sizeBytes is 4194304 and was asked as 8388608.*another volumeId/,
  })
  t.equal((await engine.open(spec('disk', { quotaBytes: MIB }))).spec.quotaBytes, MIB, 'the quota may change')
  await engine.close()
})

t.test('a damaged volume is refused by name, alone, and left as it is', async t => {
  const dataDir = place()
  const damages: Record<string, (directory: string) => void> = {
    manifest: directory => writeFileSync(join(directory, 'volume.json'), '{"format":1'),
    'manifest-gone': directory => execFileSync('rm', [join(directory, 'volume.json')]),
    'manifest-alien': directory =>
      writeFileSync(join(directory, 'volume.json'), readFileSync(join(dataDir, 'volumes/good/volume.json'))),
    live: directory => writeFileSync(join(directory, 'bitmap'), 'x', { flag: 'r+' }),
    durable: directory => writeFileSync(join(directory, 'bitmap.durable'), 'x', { flag: 'r+' }),
    short: directory => truncateSync(join(directory, 'bitmap'), 5000),
    overlay: directory => truncateSync(join(directory, 'overlay'), 512),
    'overlay-gone': directory => execFileSync('rm', [join(directory, 'overlay')]),
  }
  const first = bench(dataDir)
  for (const name of ['good', ...Object.keys(damages)]) await first.engine.open(spec(name))
  await first.engine.close()
  const { engine } = bench(dataDir)
  for (const [name, damage] of Object.entries(damages)) {
    damage(join(dataDir, 'volumes', name))
    const before = readdirSync(join(dataDir, 'volumes', name))
    await t.rejects(
      engine.open(spec(name)),
      { code: 'damaged', message: new RegExp(`volume ${name} is refused: .*move`, 'i') },
      name,
    )
    t.same(readdirSync(join(dataDir, 'volumes', name)), before)
  }
  t.ok(await engine.open(spec('good')))
  t.equal(engine.count, 1)
  await engine.close()
})

t.test('bad requests are refused with all that is wrong, and touch nothing outside', async t => {
  const dataDir = place()
  const { engine } = bench(dataDir)
  for (const volumeId of ['../x', '.', '', 'a/b', '.making-a', 'x'.repeat(129)]) {
    await t.rejects(engine.open(spec(volumeId)), { code: 'bad-request', message: /volumeId/ })
  }
  const wrong = spec('a', { sizeBytes: 1000, blockBytes: 100, quotaBytes: 3 })
  await t.rejects(engine.open(wrong), { code: 'bad-request', message: /blockBytes.*sizeBytes.*quotaBytes/ })
  await t.rejects(engine.open(spec('a', { basePath: '/nonexistent/base' })), {
    code: 'base-missing',
    message: /\/nonexistent/,
  })
  await t.rejects(engine.flush('nobody'), { code: 'gone', message: /not open/ })
  await t.rejects(engine.destroy('nobody'), { code: 'gone' })
  t.same(readdirSync(join(dataDir, 'volumes')), [])
  await engine.close()
  await t.rejects(engine.open(spec('late')), { code: 'gone' })
})

t.test('two engines never share a data directory', async t => {
  const dataDir = place()
  const { engine } = bench(dataDir)
  t.throws(() => new StorageEngine({ dataDir, notify: () => undefined }), {
    name: 'DataDirectoryError',
    message: /another server uses it/,
  })
  await engine.close()
  await bench(dataDir).engine.close()
})

t.test('a data directory that cannot be used is one line that says what to do', async t => {
  const dataDir = place()
  writeFileSync(join(dataDir, 'file'), '')
  const open = (path: string) => new StorageEngine({ dataDir: path, notify: () => undefined })
  for (const path of [join(dataDir, 'file'), join(dataDir, 'file/below')]) {
    t.throws(() => open(path), {
      name: 'DataDirectoryError',
      message: /^cannot use the data directory .*another directory as dataDir.*$/,
    })
  }
  if (process.getuid?.() !== 0) return t.fail('this test mounts a read-only file system: run it as root')
  const mount = join(dataDir, 'mnt')
  mkdirSync(mount)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=64k', 'tmpfs', mount])
  try {
    t.throws(() => open(join(mount, 'data')), { message: /mounted read-only/ })
    t.throws(() => open(join(mount, 'data')), DataDirectoryError)
  } finally {
    execFileSync('umount', [mount])
  }
})

t.test('a full disk refuses a new volume with space and leaves nothing behind', async t => {
  if (process.getuid?.() !== 0) return t.fail('this test mounts a small tmpfs: run it as root')
  const mount = place()
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', mount])
  try {
    const dataDir = join(mount, 'data')
    const { engine, workers } = bench(dataDir)
    const large = { sizeBytes: 4096 * MIB }
    await t.rejects(engine.open(spec('disk', large)), { code: 'space' })
    const volume = workers.borrow(await engine.open(spec('scratch', { ...large, persistence: 'ephemeral' })))
    await t.rejects(async () => volume.write(0, bytes(1), 0, 4096), { code: 'space' })
    t.same([readdirSync(join(dataDir, 'volumes')), readdirSync(join(dataDir, 'ephemeral'))], [[], []])
    t.equal(existsSync(dataDir) && statSync(dataDir).isDirectory(), true)
    volume.release()
    await engine.close()
  } finally {
    execFileSync('umount', [mount])
  }
})

t.test('a thousand volumes opened, written to and ended leave no descriptor and no mapping', async t => {
  const dataDir = place()
  const { engine, workers } = bench(dataDir)
  const count = () => [
    readdirSync('/proc/self/fd').length,
    readFileSync('/proc/self/maps', 'utf8').split(dataDir).length,
  ]
  const cycle = async (index: number) => {
    const persistence = index % 10 === 0 ? 'persistent' : 'ephemeral'
    const volume = workers.borrow(await engine.open(spec(`v${index % 20}`, { persistence, sizeBytes: MIB })))
    await volume.write(0, bytes(1), 0, 4096)
    await engine.destroy(`v${index % 20}`)
    volume.release()
  }
  await cycle(0)
  const before = count()
  for (let index = 0; index < 1000; index++) await cycle(index)
  t.same(count(), before)
  t.same([workers.count, workers.openFiles, engine.count], [0, 0, 0])
  await engine.close()
})
