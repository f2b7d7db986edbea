/** The embedded store: files that only their owner reads, restarts, and a disk that takes no more. */
import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { testFolder } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { OtherProcess } from './fixtures/other-process.js'
import { openState, type StateStore } from './index.js'

async function store(t: Test): Promise<{ path: string; state: StateStore }> {
  const path = join(testFolder(t), 'state')
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

t.test(
  'a write that the disk does not take is unavailable; the process lives, what was answered stays, and room ends it',
  async t => {
    const process = new OtherProcess({ path: join(testFolder(t), 'state') })
    t.teardown(() => process.kill())
    const limit = (soft: string) => execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${soft}:unlimited`])
    const value = 'x'.repeat(3_000)
    await process.call('put', 'leases', 'l0', value, 0)
    limit('102400')
    const puts = Array.from({ length: 60 }, (_, index) => process.call('put', 'leases', `l${index + 1}`, value, 0))
    const results = await Promise.allSettled(puts)
    const refused = results.flatMap(result => (result.status === 'rejected' ? [result.reason as object] : []))
    t.ok(refused.length > 0)
    for (const reason of refused) t.match(reason, { code: 'unavailable', message: /cannot be written: / })
    limit('unlimited')
    for (const [index, { status }] of results.entries()) {
      const there = await process.call('get', 'leases', `l${index + 1}`)
      t.equal(there !== undefined, status === 'fulfilled', `l${index + 1}`)
    }
    await process.call('put', 'leases', 'more', value, 0)
  },
)
