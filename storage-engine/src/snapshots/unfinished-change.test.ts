/** A change of files that was decided and cannot be finished: it hinders its own volume, and no other one for good. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Bench, bench, bytes, MIB, remove, spec, temporaryDirectory } from '../test-bench.js'

/** Two volumes, `other` with a snapshot; the server was killed right after a snapshot of `broken` was decided, and its overlay is missing. */
async function killed(t: Test): Promise<{ dataDir: string; restart: () => Bench; repair: () => void }> {
  const dataDir = temporaryDirectory()
  t.teardown(() => remove(dataDir))
  const { engine, workers } = bench(dataDir, { bootId: 'boot-1' })
  for (const name of ['broken', 'other']) {
    const volume = workers.borrow(await engine.open(spec(name, { sizeBytes: MIB })))
    await volume.write(0, bytes(1), 0, 4096)
  }
  await engine.snapshots.take([{ volumeId: 'other', snapshotId: 'of-other' }])
  await engine.close()
  const place = join(dataDir, 'volumes/broken')
  const manifest = JSON.parse(readFileSync(join(place, 'volume.json'), 'utf8')) as object
  const snapshot = {
    ...{
      format: 1,
      snapshotId: 'of-broken',
      layerId: 'layer',
      volumeId: 'broken',
      createdAt: new Date(0).toISOString(),
    },
    ...{ sizeBytes: MIB, blockBytes: 512, usedBytes: 4096 },
  }
  const switches = [{ volume: { ...manifest, standsOn: 'of-broken' }, snapshot }]
  mkdirSync(join(place, 'next'))
  for (const name of ['overlay', 'bitmap', 'bitmap.durable'])
    writeFileSync(join(place, 'next', name), name === 'overlay' ? Buffer.alloc(MIB) : readFileSync(join(place, name)))
  writeFileSync(join(dataDir, 'switch.json'), JSON.stringify({ format: 1, switches }))
  renameSync(join(place, 'overlay'), join(dataDir, 'lost'))
  return {
    dataDir,
    restart: () => bench(dataDir, { bootId: 'boot-1' }),
    repair: () => renameSync(join(dataDir, 'lost'), join(place, 'overlay')),
  }
}

t.test('while a decided snapshot cannot be finished, the others are listed and other volumes are served', async t => {
  const { restart, repair } = await killed(t)
  const { engine } = restart()
  const listed = async () => (await engine.snapshots.list()).snapshots.map(({ snapshotId }) => snapshotId)
  t.same(await listed(), ['of-other'])
  t.same((await engine.snapshots.list()).damaged, [])
  await t.rejects(engine.reopen('broken'), { code: 'io' })
  await engine.reopen('other')
  repair()
  t.same(await listed(), ['of-broken', 'of-other'], 'it is finished as soon as it can be')
  await engine.reopen('broken')
  await engine.close()
})

t.test('a volume that is removed, or taken away, takes what was decided of it with it', async t => {
  for (const go of [
    ({ engine }: Bench) => engine.remove('broken'),
    async (_: Bench, dataDir: string) => rmSync(join(dataDir, 'volumes/broken'), { recursive: true }),
  ]) {
    const { dataDir, restart } = await killed(t)
    const made = restart()
    const { engine } = made
    await engine.reopen('other')
    const more = [{ volumeId: 'other', snapshotId: 'more' }]
    await t.rejects(engine.snapshots.take(more), { code: 'io' })
    await go(made, dataDir)
    await engine.snapshots.take(more)
    t.notOk(existsSync(join(dataDir, 'switch.json')))
    await engine.open(spec('broken', { sizeBytes: MIB }))
    await engine.close()
  }
})

t.test('an overlay that was cut is not made longer by a decided growth: the volume is refused', async t => {
  const dataDir = temporaryDirectory()
  t.teardown(() => remove(dataDir))
  const { engine, workers } = bench(dataDir, { bootId: 'boot-1' })
  const volume = workers.borrow(await engine.open(spec('disk', { sizeBytes: MIB })))
  await volume.write(MIB / 2, bytes(1), 0, 4096)
  await engine.snapshots.resize('disk', 2 * MIB)
  await engine.close()
  const manifest = readFileSync(join(dataDir, 'volumes/disk/volume.json'), 'utf8')
  writeFileSync(join(dataDir, 'switch.json'), `{"format":1,"switches":[{"volume":${manifest}}]}`)
  const overlay = join(dataDir, 'volumes/disk/overlay')
  truncateSync(overlay, 4096)
  const again = bench(dataDir, { bootId: 'boot-1' })
  await t.rejects(again.engine.reopen('disk'), { code: 'damaged', message: /has 4096 bytes instead of 2097152/ })
  t.equal(statSync(overlay).size, 4096)
  await again.engine.close()
})
