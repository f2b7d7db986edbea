/** The contract of the state store, held to by both stores: compare-and-set, time to live, watching, damage, size. */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { KINDS, type Kind, until } from './fixtures/kinds.js'
import { OtherProcess } from './fixtures/other-process.js'
import { ANSWER_MS } from './in-time.js'
import { type Change, isDamaged, type StateStore } from './index.js'

const each = (title: string, test: (t: Test, kind: Kind) => Promise<void>): void => {
  for (const [name, make] of Object.entries(KINDS)) t.test(`${name}: ${title}`, async t => test(t, await make(t)))
}
/** More than two operations may take, and so two of a record come before its time is over. */
const TTL_MS = 3 * ANSWER_MS
const conflict = { name: 'StateError', code: 'conflict' }
const unavailable = { name: 'StateError', code: 'unavailable' }

function other(t: Test, { options }: Kind): OtherProcess {
  const process = new OtherProcess(options)
  t.teardown(() => process.kill())
  return process
}

/** What a watcher was told, as `id=value`, `id!` for damaged, `id-` for gone. */
function told(store: StateStore): string[] {
  const lines: string[] = []
  store.watch('leases', ({ id, record }: Change) => {
    if (!record) lines.push(`${id}-`)
    else lines.push(isDamaged(record) ? `${id}!` : `${id}=${JSON.stringify(record.value)}`)
  })
  return lines
}

each('a record is made, read, changed and removed, each by its version', async (t, kind) => {
  const store = await kind.open()
  t.equal(store.available, true)
  t.equal(await store.get('leases', 'a'), undefined)
  const first = await store.put('leases', 'a', { deep: [1, 'ä', null] }, 0)
  t.same(await store.get('leases', 'a'), { id: 'a', version: first, value: { deep: [1, 'ä', null] } })
  const second = await store.put('leases', 'a', 'text', first)
  t.ok(second > first, 'versions grow')
  const elsewhere = await store.put('accounts', 'a', 1, 0)
  t.ok(elsewhere > second, 'over all collections')
  t.same(await store.list('leases'), [{ id: 'a', version: second, value: 'text' }])
  await store.remove('leases', 'a', second)
  t.same([await store.get('leases', 'a'), await store.list('leases')], [undefined, []])
  t.ok((await store.put('leases', 'a', 1, 0)) > elsewhere, 'a version never comes twice')
  t.equal((await store.list('accounts')).length, 1, 'collections are apart')
})

each('another version is a conflict, and nothing is written', async (t, kind) => {
  const store = await kind.open()
  const first = await store.put('leases', 'a', 1, 0)
  await t.rejects(store.put('leases', 'a', 2, 0), conflict)
  await t.rejects(store.put('leases', 'a', 2, first - 1), conflict)
  await t.rejects(store.put('leases', 'b', 2, first), conflict)
  await t.rejects(store.remove('leases', 'a', first + 1), conflict)
  await t.rejects(store.remove('leases', 'b', first), conflict)
  await store.remove('leases', 'b', 0)
  t.same(await store.list('leases'), [{ id: 'a', version: first, value: 1 }])
  await store.remove('leases', 'a', first)
  await t.rejects(store.put('leases', 'a', 2, first), conflict, 'the version of what is gone')
})

each('of all who write at once on one version, one wins', async (t, kind) => {
  const store = await kind.open()
  const version = await store.put('leases', 'a', 'old', 0)
  const tries = Array.from({ length: 50 }, (_, index) => store.put('leases', 'a', index, version))
  const results = await Promise.allSettled(tries)
  const won = results.flatMap((result, index) => (result.status === 'fulfilled' ? [{ index, at: result.value }] : []))
  t.equal(won.length, 1)
  t.same(await store.get('leases', 'a'), { id: 'a', version: won[0]?.at, value: won[0]?.index })
})

each('processes that add to one record lose no addition', async (t, kind) => {
  const store = await kind.open()
  const processes = [other(t, kind), other(t, kind), other(t, kind)]
  await Promise.all(processes.map(process => process.call('get', 'leases', 'sum'))) // all of them are there
  await Promise.all(processes.map(process => process.call('add', 'sum', 100)))
  t.match(await store.get('leases', 'sum'), { value: 300 })
})

each('a record is gone when its time is over, unless it was written again', async (t, kind) => {
  const store = await kind.open()
  const lines = told(store)
  const renewed = await store.put('leases', 'renewed', 1, 0, { ttlMs: TTL_MS })
  await store.put('leases', 'renewed', 2, renewed, { ttlMs: 10 * TTL_MS })
  const kept = await store.put('leases', 'kept', 1, 0, { ttlMs: TTL_MS })
  await store.put('leases', 'kept', 2, kept)
  await store.put('leases', 'short', 1, 0, { ttlMs: TTL_MS })
  t.match(await store.get('leases', 'short'), { value: 1 })
  await until('its time is over', async () => (await store.get('leases', 'short')) === undefined)
  t.same((await store.list('leases')).map(({ id }) => id).toSorted(), ['kept', 'renewed'])
  await until('the watcher hears of it', () => lines.includes('short-'))
  t.ok(await store.put('leases', 'short', 2, 0), 'it can be made again')
  await sleep(1_200)
  t.match(await store.get('leases', 'short'), { value: 2 }, 'and then stays')
  t.same(
    lines.filter(line => line.endsWith('-')),
    ['short-'],
  )
})

each('a watcher hears of what is there, of each change, and of nothing after its end', async (t, kind) => {
  const store = await kind.open()
  const before = await store.put('leases', 'before', 0, 0)
  await store.put('accounts', 'stranger', 0, 0)
  const lines: string[] = []
  const end = store.watch('leases', ({ id, record }) => lines.push(`${id} ${record?.version ?? 'gone'}`))
  t.same(lines, [], 'not before watch has returned')
  await until('it was told', () => lines.length === 1)
  const own = await store.put('leases', 'own', 1, 0)
  const changed = await store.put('leases', 'own', 2, own)
  const process = other(t, kind)
  const theirs = Number(await process.call('put', 'leases', 'theirs', 1, 0))
  await store.remove('leases', 'own', changed)
  await until('all is told', () => lines.includes('own gone') && lines.includes(`theirs ${theirs}`))
  const expected = [`before ${before}`, `own ${own}`, `own ${changed}`, 'own gone', `theirs ${theirs}`]
  t.same(lines.toSorted(), expected.toSorted())
  t.same(
    lines.filter(line => line.startsWith('own')),
    [`own ${own}`, `own ${changed}`, 'own gone'],
    'in order',
  )
  end()
  await store.put('leases', 'late', 1, 0)
  const more = told(store)
  await until('another watcher hears of it', () => more.includes('late=1'))
  t.equal(lines.length, expected.length)
})

const DAMAGE: readonly [what: string, bytes: (good: string) => Buffer, damaged: RegExp][] = [
  ['nothing at all', () => Buffer.alloc(0), /does not begin with a version/],
  ['other text', () => Buffer.from('{"id":1}'), /does not begin with a version/],
  ['zeros', () => Buffer.alloc(64), /does not begin with a version/],
  ['a version that no number is', good => Buffer.from(`99999999999999999${good}`), /does not begin with a version/],
  ['half of the record', good => Buffer.from(good.slice(0, good.length - 5)), /not JSON/],
  ['bytes that are not UTF-8', good => Buffer.concat([Buffer.from(good), Buffer.of(0xff)]), /not UTF-8/],
  ['something after it', good => Buffer.from(`${good}}`), /not JSON/],
]
each('a damaged record is named and can be removed; the others serve', async (t, kind) => {
  const store = await kind.open()
  for (const [what] of DAMAGE) await store.put('leases', what.replaceAll(' ', '-'), 0, 0)
  const good = await store.put('leases', 'good', { intact: true }, 0)
  await store.close()
  for (const [what, bytes] of DAMAGE) await kind.spoil(what.replaceAll(' ', '-'), bytes('1795400000000001 0 {"a":"b"}'))

  const again = await kind.open()
  t.match(await again.get('leases', 'good'), { version: good, value: { intact: true } })
  const records = await again.list('leases')
  t.equal(records.length, DAMAGE.length + 1)
  for (const [what, , damaged] of DAMAGE) {
    const id = what.replaceAll(' ', '-')
    const record = records.find(other => other.id === id)
    t.ok(record && isDamaged(record), what)
    t.match(record, { damaged })
    t.same(await again.get('leases', id), record)
    await t.rejects(again.put('leases', id, 1, 0), conflict, `${what}: not as if it were not there`)
    if (record) await again.remove('leases', id, record.version)
  }
  t.same(
    (await again.list('leases')).map(({ id }) => id),
    ['good'],
  )
  const lines = told(again)
  await until('the watcher is told', () => lines.length > 0)
  t.same(lines, ['good={"intact":true}'])
})

each(
  '10,000 records are listed in well under two seconds, or where the machine is slow, faster than they are written',
  async (t, kind) => {
    const store = await kind.open()
    const value = {
      state: 'suspended',
      iqn: `iqn.2025-01.pub.scsipub:${'x'.repeat(32)}`,
      luns: [{ lun: 0, image: 'blank' }],
    }
    const writing = performance.now()
    for (let at = 0; at < 10_000; at += 200) {
      const puts = Array.from({ length: 200 }, (_, index) => store.put('leases', `lease-${at + index}`, value, 0))
      await Promise.all(puts)
    }
    const wrote = performance.now() - writing
    const took: number[] = []
    for (let look = 0; look < 3; look++) {
      const began = performance.now()
      const records = await store.list('leases')
      took.push(performance.now() - began)
      t.equal(new Set(records.map(({ id }) => id)).size, 10_000)
      t.ok(records.every(record => !isDamaged(record)))
    }
    // The shortest is what the listing takes; in the others the machine may have done something else.
    t.ok(Math.min(...took) < Math.max(1_500, wrote), `${took} ms, ${wrote} ms to write them`)
  },
)

each('what was answered is there after the writer was killed', async (t, kind) => {
  const writer = other(t, kind)
  for (let index = 0; index < 20; index++) await writer.call('put', 'leases', `l${index}`, index, 0)
  await writer.kill()
  const store = await kind.open()
  t.equal((await store.list('leases')).length, 20)
})

each('ids, values and times that no store takes are refused', async (t, kind) => {
  const store = await kind.open()
  for (const id of ['', 'a b', 'a\n', 'ä', 'x'.repeat(256)]) {
    await t.rejects(store.put('leases', id, 1, 0), RangeError, JSON.stringify(id))
    await t.rejects(store.get('leases', id), RangeError)
    await t.rejects(store.remove('leases', id, 0), RangeError)
  }
  for (const ttlMs of [0, -1, 1.5, Number.NaN, 1e14])
    await t.rejects(store.put('leases', 'a', 1, 0, { ttlMs }), RangeError, `${ttlMs} ms`)
  await t.rejects(store.put('leases', 'a', undefined, 0), RangeError)
  await t.rejects(store.put('leases', 'a', 'x'.repeat(1024 * 1024), 0), RangeError, 'too long')
  const id = `iqn.2025-01.pub.scsipub:${'~'.repeat(230)}!`
  await store.put('leases', id, 'x'.repeat(1024 * 1024 - 2), 0)
  t.match(await store.get('leases', id), { id })
})

each('a closed store is unavailable, and says nothing more', async (t, kind) => {
  const store = await kind.open()
  const lines = told(store)
  store.onAvailability((available, why) => lines.push(`${available} ${why}`))
  const version = await store.put('leases', 'a', 1, 0)
  await until('the watcher is told', () => lines.length === 1)
  await store.close()
  await store.close()
  t.equal(store.available, false)
  await t.rejects(store.list('leases'), unavailable)
  await t.rejects(store.get('leases', 'a'), unavailable)
  await t.rejects(store.put('leases', 'a', 1, version), unavailable)
  await t.rejects(store.remove('leases', 'a', version), unavailable)
  t.same(lines, ['a=1'])
})
