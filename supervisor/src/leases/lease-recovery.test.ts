/** What a start makes of what it finds: every row of the table. */
import t from 'tap'
import type { LeaseRecord, LeaseState } from './lease-record.js'
import { type Found, judge, needsCopy } from './lease-recovery.js'

const record = (state: LeaseState, revision = 1, luns = [0]): LeaseRecord => ({
  format: 1,
  id: 'a'.repeat(26),
  accountId: 'account',
  node: 'here',
  revision,
  state,
  chapSecret: '0123456789abcdef',
  ttlMs: 1000,
  createdAt: 0,
  expiresAt: 0,
  luns: luns.map(lun => ({ lun, sizeBytes: 512 })),
})
const suspended = record('suspended')
const found = (what: Partial<Found>): Found => ({
  record: undefined,
  ledger: undefined,
  volumes: [0],
  ledgerIsNew: false,
  ...what,
})

const table: [title: string, found: Partial<Found>, act: string, from?: string][] = [
  ['known to both', { record: suspended, ledger: 1 }, 'serve', 'store'],
  ['attached when the server ended', { record: record('attached'), ledger: 1 }, 'serve', 'store'],
  ['the ledger has no copy', { record: suspended }, 'serve', 'store'],
  ['the store has a LUN that the ledger has not', { record: record('suspended', 2), ledger: 1 }, 'serve', 'store'],
  [
    'the store fell back to an earlier revision',
    { record: suspended, ledger: 2, copy: record('suspended', 2, [0, 1]), volumes: [0, 1] },
    'serve',
    'ledger',
  ],
  [
    'a LUN was written down whose making was undone',
    { record: record('suspended', 2, [0, 1]), ledger: 1, copy: suspended },
    'serve',
    'ledger',
  ],
  [
    'the store fell back to its making',
    { record: record('provisioning'), ledger: 1, copy: suspended },
    'serve',
    'ledger',
  ],
  ['the store has lost it', { ledger: 1, copy: suspended }, 'serve', 'ledger'],
  ['the store has lost it, and the copy is damaged', { ledger: 1, copy: 'no JSON' }, 'refuse'],
  ['made, but never answered for', { record: record('provisioning') }, 'evict'],
  ['its eviction was begun', { record: record('evicting'), ledger: 1 }, 'evict'],
  ['evicted, and the store fell back', { record: suspended, ledger: 'evicting', volumes: [] }, 'evict'],
  ['evicted but for the ledger', { ledger: 'evicting', volumes: [] }, 'evict'],
  ['evicted, and its record is damaged', { record: 'no JSON', ledger: 'evicting' }, 'evict'],
  ['its record is damaged', { record: 'no JSON', ledger: 1 }, 'refuse'],
  ['its volumes are gone', { record: suspended, volumes: [] }, 'refuse'],
  [
    'its volumes are gone, the ledger knows it',
    { record: suspended, ledger: 1, copy: suspended, volumes: [] },
    'refuse',
  ],
  ['volumes that nobody was told of', {}, 'remove'],
  ['volumes without a ledger', { ledgerIsNew: true }, 'keep'],
]
for (const [title, what, act, from] of table) {
  t.test(title, async t => {
    const case_ = found(what)
    t.equal(needsCopy(case_), case_.copy !== undefined, 'the copy is read where it counts')
    const verdict = judge(case_)
    t.equal(verdict.act, act)
    if (verdict.act === 'serve') t.equal(verdict.from, from)
  })
}

t.test('what is served by the copy has the higher revision, so that it wins from then on', async t => {
  const verdict = judge(found({ record: record('suspended', 4, [0, 1]), ledger: 3, copy: record('suspended', 3) }))
  t.match(verdict, { act: 'serve', record: { revision: 4, luns: [{ lun: 0 }] } })
})
