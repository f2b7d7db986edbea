import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { BaseFiles } from './base-files.js'
import { Provisioning } from './provisioning.js'
import { SectorStore } from './sector-store.js'
import { TestVolume, type TestVolumeOptions } from './test-engine.js'

const MIB = 1 << 20
const directory = mkdtempSync(join(tmpdir(), 'scsipub-provisioning-'))
t.teardown(() => rmSync(directory, { recursive: true }))

function open(t: Test, options: Partial<TestVolumeOptions> = {}) {
  const made = new TestVolume({ sizeBytes: MIB, ...options })
  const store = new SectorStore(
    new BaseFiles(),
    options.basePath === undefined ? undefined : { layers: [], imagePath: options.basePath },
  )
  const files = made.makeFiles()
  store.openOverlay(files, MIB)
  const volume = made.borrow()
  t.teardown(() => {
    volume.release()
    store.close()
    made.remove()
  })
  return { made, store, volume, files, provisioning: new Provisioning(store.overlay, made.control, store.base) }
}

const allocated = (path: string) => statSync(path).blocks * 512

for (const parent of [tmpdir(), '/dev/shm']) {
  t.test(`unmapping gives the file system its blocks back, and anchoring keeps them (${parent})`, async t => {
    const { volume, provisioning, files } = open(t, { parent })
    await volume.write(0, Buffer.alloc(MIB, 7), 0, MIB)
    t.ok(allocated(files.overlayPath) >= MIB)
    provisioning.unmap({ first: 0, count: 1024 })
    t.ok(allocated(files.overlayPath) < MIB * 0.6, 'half of it is free')
    provisioning.anchor({ first: 0, count: 1024 })
    t.ok(allocated(files.overlayPath) >= MIB, 'what is anchored is reserved again')
  })

  t.test(`edges that are not on a page are zeros too, and their neighbours stay (${parent})`, async t => {
    const { volume, provisioning } = open(t, { parent })
    const data = Buffer.alloc(MIB, 7)
    await volume.write(0, data, 0, MIB)
    provisioning.unmap({ first: 3, count: 30 })
    provisioning.zero({ first: 101, count: 1 })
    const expected = Buffer.from(data)
      .fill(0, 3 * 512, 33 * 512)
      .fill(0, 101 * 512, 102 * 512)
    await volume.read(0, data, 0, MIB)
    t.ok(data.equals(expected))
  })
}

t.test('a write that could be refused for its quota is, and changes nothing', async t => {
  const { made, volume, provisioning } = open(t, { quotaBytes: 8 * 512 })
  await volume.write(0, Buffer.alloc(4096, 7), 0, 4096)
  provisioning.unmap({ first: 0, count: 8 })
  t.equal(made.control.space.allocatedSectors, 0)
  await volume.write(4096, Buffer.alloc(2048, 8), 0, 2048)
  t.throws(() => provisioning.anchor({ first: 0, count: 8 }), { code: 'space' })
  t.throws(() => volume.write(0, Buffer.alloc(4096, 9), 0, 4096), { code: 'space' })
  t.same(provisioning.runs({ first: 0, count: 16 }, { blockSectors: 1, limit: 9 }), [
    { first: 0, count: 8, status: 1 },
    { first: 8, count: 4, status: 0 },
    { first: 12, count: 4, status: 1 },
  ])
  t.equal(made.control.space.allocatedSectors, 4)
})

t.test('what is anchored can be written when nothing else can', async t => {
  const { volume, provisioning } = open(t, { quotaBytes: 8 * 512 })
  provisioning.anchor({ first: 0, count: 4 })
  await volume.write(4096, Buffer.alloc(2048, 8), 0, 2048)
  t.throws(() => volume.write(8192, Buffer.alloc(512), 0, 512), { code: 'space' })
  await volume.write(0, Buffer.alloc(2048, 9), 0, 2048)
  t.same(provisioning.runs({ first: 0, count: 4 }, { blockSectors: 1, limit: 9 }), [{ first: 0, count: 4, status: 0 }])
})

t.test('a block that is not wholly in one state counts as mapped; runs end at the limit', async t => {
  const basePath = join(directory, 'base')
  writeFileSync(basePath, Buffer.alloc(3 * 512, 5))
  const { volume, provisioning } = open(t, { basePath })
  await volume.write(8192, Buffer.alloc(4096, 1), 0, 4096)
  const range = { first: 0, count: 2048 }
  const all = [
    { first: 0, count: 8, status: 0 },
    { first: 8, count: 8, status: 1 },
    { first: 16, count: 8, status: 0 },
    { first: 24, count: 2024, status: 1 },
  ]
  t.same(provisioning.runs(range, { blockSectors: 8, limit: 10 }), all, 'a base that ends within the first block')
  t.same(provisioning.runs(range, { blockSectors: 8, limit: 3 }), all.slice(0, 3))
})

t.test('a volume of which nothing was ever unmapped is not looked through by writes', async t => {
  const { made, volume, provisioning } = open(t)
  await volume.write(0, Buffer.alloc(4096, 7), 0, 4096)
  provisioning.zero({ first: 0, count: 4 })
  t.equal(made.control.everUnmapped, false)
  provisioning.unmap({ first: 0, count: 1 })
  t.equal(made.control.everUnmapped, true)
})
