/** The ledger after a server that was killed between two steps of it. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { LeaseLedger } from './lease-ledger.js'
import { newLeaseId } from './lease-names.js'
import type { LeaseRecord } from './lease-record.js'

const id = newLeaseId()
const record: LeaseRecord = {
  format: 1,
  id,
  accountId: 'account',
  node: 'node',
  revision: 2,
  state: 'suspended',
  chapSecret: 'sixteen-letters!',
  ttlMs: 1000,
  createdAt: 0,
  expiresAt: 1000,
  luns: [{ lun: 0, sizeBytes: 512 }],
}

/** A ledger that is opened on these files, and what is in its folder then. */
function opened(t: Test, files: Record<string, string>) {
  const folder = t.testdir({ node: 'node\n', ...files })
  return { ledger: new LeaseLedger(folder), folder, names: () => readdirSync(folder).sort() }
}

t.test('a lease whose eviction was interrupted before its copy went does not come back when it has gone', async t => {
  const { ledger, folder, names } = opened(t, { [`${id}.2.json`]: JSON.stringify(record), [`${id}.evicting`]: '' })
  t.equal(ledger.entries.get(id), 'evicting')
  t.same(names(), [`${id}.evicting`, 'node'].sort())
  await ledger.forget(id)
  t.same(names(), ['node'])
  t.equal(new LeaseLedger(folder).entries.size, 0)
})

t.test('a copy that was to be replaced by a later one goes at the start, whatever order the names come in', async t => {
  for (const [older, newer] of [
    [1, 2],
    [9, 10],
  ] as const) {
    const files = {
      [`${id}.${older}.json`]: JSON.stringify({ ...record, revision: older }),
      [`${id}.${newer}.json`]: JSON.stringify({ ...record, revision: newer }),
    }
    const { ledger, names } = opened(t, files)
    t.match(await ledger.read(id), { revision: newer })
    t.same(names(), [`${id}.${newer}.json`, 'node'].sort())
    await ledger.forget(id)
    t.same(names(), ['node'])
  }
})

t.test('a draft with a secret in it does not outlive the start', async t => {
  const { ledger, names } = opened(t, { [`${id}.2.json.draft`]: JSON.stringify(record), [`${id}.evicting.draft`]: '' })
  t.equal(ledger.entries.size, 0)
  t.same(names(), ['node'])
})

t.test('files that are not of the ledger are left alone', async t => {
  const { folder, names } = opened(t, {})
  writeFileSync(join(folder, 'notes.txt'), 'mine')
  t.equal(new LeaseLedger(folder).entries.size, 0)
  t.same(names(), ['node', 'notes.txt'])
})
