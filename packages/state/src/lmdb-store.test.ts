/** The embedded store: files that only their owner reads, and a form that other versions refuse. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openState, type StateStore } from './index.js'

async function store(t: Test): Promise<{ path: string; state: StateStore }> {
  const path = join(t.testdir(), 'state')
  const state = await openState({ path })
  t.teardown(() => state.close())
  return { path, state }
}

t.test('only the owner may read the files, for there are secrets in them', async t => {
  const { path, state } = await store(t)
  await state.put('leases', 'a', { secret: '0123456789abcdef' }, 0)
  t.equal(statSync(path).mode & 0o777, 0o700)
  const files = readdirSync(path)
  t.same(files.toSorted(), ['data.mdb', 'lock.mdb'])
  for (const file of files) t.equal(statSync(join(path, file)).mode & 0o777, 0o600, file)
})

t.test('a record is kept over a restart', async t => {
  const { path, state } = await store(t)
  const version = await state.put('leases', 'a', { a: [1] }, 0)
  await state.close()
  const again = await openState({ path })
  t.teardown(() => again.close())
  t.same(await again.list('leases'), [{ id: 'a', version, value: { a: [1] } }])
})
