/** The catalog folder: what becomes an image, what is skipped and told of once, and that changes are seen. */
import { mkdirSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Catalog } from './catalog.js'
import { createLog } from './log.js'

function setUp(t: Test) {
  const folder = t.testdir({ catalog: {} }) + '/catalog'
  const warnings: { manifest?: string; why?: string }[] = []
  const log = createLog('warn', { write: (line: string) => void warnings.push(JSON.parse(line) as object) })
  const put = (file: string, content: unknown) =>
    writeFileSync(
      join(folder, file),
      Buffer.isBuffer(content) || typeof content === 'string' ? content : JSON.stringify(content),
    )
  return { folder, warnings, put, open: () => new Catalog(folder, log) }
}

t.test('an image has the size of its file, rounded up to a sector', t => {
  const { folder, put, open, warnings } = setUp(t)
  put('debian.img', Buffer.alloc(1025))
  put('debian.json', { name: 'debian-12', title: 'Debian 12', file: 'debian.img' })
  put('notes.txt', 'not a manifest')
  t.same(
    [...open().images().values()],
    [{ name: 'debian-12', title: 'Debian 12', path: join(folder, 'debian.img'), sizeBytes: 1536 }],
  )
  t.same(warnings, [])
  t.end()
})

t.test('what cannot be served is skipped, alone, with one warning each', t => {
  const { folder, put, open, warnings } = setUp(t)
  put('good.img', Buffer.alloc(512))
  put('good.json', { name: 'good', file: 'good.img' })
  put('good2.json', { name: 'good', file: 'good.img' })
  put('empty.img', '')
  mkdirSync(join(folder, 'folder.img'))
  symlinkSync('/etc/passwd', join(folder, 'link.img'))
  const bad: Record<string, [content: unknown, why: RegExp]> = {
    'a.json': ['{ "name": ', /JSON/],
    'b.json': [{ name: 'b' }, /must have required property 'file'/],
    'c.json': [{ name: 'Up', file: 'good.img' }, /\/name must match/],
    'd.json': [{ name: 'd', file: '../../etc/passwd' }, /\/file must match/],
    'e.json': [{ name: 'e', file: 'link.img' }, /does not lie in the catalog folder/],
    'f.json': [{ name: 'f', file: '..' }, /does not lie in the catalog folder/],
    'g.json': [{ name: 'g', file: 'gone.img' }, /ENOENT/],
    'h.json': [{ name: 'h', file: 'empty.img' }, /is empty/],
    'i.json': [{ name: 'i', file: 'folder.img' }, /is not a file/],
    'j.json': [{ name: 'blank', file: 'good.img' }, /built-in target/],
    'k.json': [{ name: 'k', file: 'good.img', size: 1 }, /additional properties/],
    'l.json': [' '.repeat(70_000), /longer than/],
  }
  for (const [file, [content]] of Object.entries(bad)) put(file, content)
  const catalog = open()
  t.same([...catalog.images().keys()], ['good'])
  for (const [file, [, why]] of Object.entries(bad))
    t.match(warnings.find(line => line.manifest === file)?.why, why, file)
  t.match(warnings.find(line => line.manifest === 'good2.json')?.why, /another manifest has the name/)
  const told = warnings.length
  put('new.json', { name: 'new', file: 'good.img' })
  t.same([...catalog.images().keys()], ['good', 'new'], 'read again')
  t.equal(warnings.length, told, 'and not warned again')
  catalog.reload()
  t.equal(warnings.length, 2 * told, 'but warned again by a reload')
  t.end()
})

t.test('a manifest that comes in the same tick of the clock as the last look is seen at once, too', async t => {
  const { folder, put, open } = setUp(t)
  put('a.img', Buffer.alloc(512))
  const catalog = open()
  const tick = new Date(Date.now() + 3_600_000) // it has not passed when the last look is over, however long that takes
  utimesSync(folder, tick, tick)
  t.equal(catalog.images().size, 0)
  put('a.json', { name: 'a', file: 'a.img' })
  utimesSync(folder, tick, tick)
  t.same([...catalog.images().keys()], ['a'])
})

t.test('manifests that come and go are seen at once; one that changes in place, within a second', async t => {
  const { folder, put, open } = setUp(t)
  const catalog = open()
  t.equal(catalog.images().size, 0)
  put('a.img', Buffer.alloc(512))
  put('a.json', { name: 'a', file: 'a.img' })
  t.same([...catalog.images().keys()], ['a'])
  renameSync(join(folder, 'a.json'), join(folder, 'a.off'))
  t.same([...catalog.images().keys()], [])
  renameSync(join(folder, 'a.off'), join(folder, 'a.json'))
  t.equal(catalog.images().get('a')?.sizeBytes, 512)
  put('a.img', Buffer.alloc(2048))
  const deadline = performance.now() + 60_000
  while (catalog.images().get('a')?.sizeBytes !== 2048 && performance.now() < deadline)
    await new Promise(resolve => setImmediate(resolve))
  t.equal(catalog.images().get('a')?.sizeBytes, 2048)
})
