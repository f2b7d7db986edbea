/** Single steps of what is done with leases that fail, or that a crash came between: the lease is what it was, or what it was to become, and nothing is left over. */
import { mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isDamaged, openState, type StateStore } from '@scsipub/state'
import { RedisServer, testFolder } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { ACCOUNT, LeaseLab, MIB } from '../fixtures/lease-lab.js'
import { until } from '../fixtures/until.js'
import type { LeaseRecord } from './lease-record.js'

const ONE = { luns: [{ sizeBytes: MIB }] }
const { limits } = ACCOUNT
const refused = (status: number) => ({ refuse: { class: status >>> 8, detail: status & 0xff } })

async function recordOf(store: StateStore, id: string): Promise<{ version: number; record: LeaseRecord }> {
  const entry = await store.get('leases', id)
  if (!entry || isDamaged(entry)) throw new Error(`no record of ${id}`)
  return { version: entry.version, record: entry.value as LeaseRecord }
}

async function rewrite(store: StateStore, id: string, change: Partial<LeaseRecord>): Promise<void> {
  const { version, record } = await recordOf(store, id)
  await store.put('leases', id, { ...record, ...change }, version)
}

async function overCrash(t: Test, before: (lab: LeaseLab, id: string) => Promise<unknown>) {
  const dataDir = testFolder(t)
  const first = await LeaseLab.start(t, dataDir)
  const { id } = await first.leases.create(ACCOUNT, ONE)
  await before(first, id)
  await first.crash()
  return { id, lab: await LeaseLab.start(t, dataDir, await openState({ path: join(dataDir, 'state') })) }
}

t.test('a LUN that cannot be entered into the ledger is not there, and nothing of it is left', async t => {
  const lab = await LeaseLab.start(t)
  const { id } = await lab.leases.create(ACCOUNT, ONE)
  const draft = join(t.testdirName, 'leases', `${id}.2.json.draft`)
  mkdirSync(draft) // in the way of the file
  await t.rejects(lab.leases.addLun(id, { sizeBytes: MIB }, limits), { code: 'failed' })
  t.equal(lab.leases.get(id)?.luns.length, 1)
  t.same(lab.files.volumes, [`lease_${id}.lun0`])
  t.equal((await recordOf(lab.store, id)).record.luns.length, 1)
  rmSync(draft, { recursive: true })
  t.equal((await lab.leases.addLun(id, { sizeBytes: MIB }, limits)).luns.length, 2)
})

t.test('a LUN whose growing fails has the size that it had, and can grow later', async t => {
  const lab = await LeaseLab.start(t)
  const { id } = await lab.leases.create(ACCOUNT, ONE)
  lab.failing.add('volume.resize')
  await t.rejects(lab.leases.resizeLun(id, 0, 2 * MIB, limits), { code: 'failed' })
  t.same((await recordOf(lab.store, id)).record.luns, [{ lun: 0, sizeBytes: MIB }])
  lab.failing.clear()
  t.equal((await lab.leases.resizeLun(id, 0, 2 * MIB, limits)).luns[0]?.sizeBytes, 2 * MIB)
})

t.test('a growing that a crash came between is finished at the next start', async t => {
  const { lab, id } = await overCrash(t, ({ store }, id) =>
    rewrite(store, id, { luns: [{ lun: 0, sizeBytes: MIB, growsTo: 2 * MIB }] }),
  )
  await until('it has grown', () => lab.leases.get(id)?.luns[0]?.sizeBytes === 2 * MIB)
  const attached = await lab.leases.attach(id, 1)
  t.match(attached, { luns: [{ volume: { spec: { sizeBytes: 2 * MIB } } }] })
})

t.test(
  'what is left of a LUN that was never finished goes at the next start, and is in no LUN of that number',
  async t => {
    const make = async (lab: LeaseLab, volumeId: string) => {
      const spec = { volumeId, persistence: 'persistent', sizeBytes: 4 * MIB, blockBytes: 512, quotaBytes: 0 } as const
      const { identity } = await lab.engine.ask({ kind: 'volume.open', spec })
      await lab.engine.ask({ kind: 'volume.destroy', volumeId })
      return identity
    }
    const { lab, id } = await overCrash(t, (lab, id) => make(lab, `lease_${id}.lun5`))
    await lab.logged('lease.volumes.removed')
    t.same(lab.files.volumes, [`lease_${id}.lun0`])
    const left = await make(lab, `lease_${id}.lun1`)
    await lab.leases.addLun(id, { sizeBytes: MIB }, limits)
    const attached = await lab.leases.attach(id, 1)
    if ('refuse' in attached) throw new Error(attached.refuse.why)
    t.equal(attached.luns[1]?.volume.spec.sizeBytes, MIB)
    t.not(attached.luns[1]?.volume.identity.serial, left.serial)
  },
)

t.test('a login whose disks cannot be opened leaves nobody attached', async t => {
  const lab = await LeaseLab.start(t)
  const { id } = await lab.leases.create(ACCOUNT, { ...ONE, ttlSeconds: 60 })
  lab.failing.add('volume.reopen')
  t.match(await lab.leases.attach(id, 1), refused(0x0300))
  t.match(lab.leases.get(id), { state: 'suspended', attachedSessions: 0 })
  t.equal((await recordOf(lab.store, id)).record.state, 'suspended')
  lab.failing.clear()
  t.hasProp(await lab.leases.attach(id, 2), 'luns')
})

t.test('every login renews the time of a lease, as its record says', async t => {
  const lab = await LeaseLab.start(t)
  const { id } = await lab.leases.create(ACCOUNT, { ...ONE, ttlSeconds: 3600 })
  for (const session of [1, 2]) {
    lab.aheadMs += 1_800_000
    const before = Date.now() + lab.aheadMs
    t.hasProp(await lab.leases.attach(id, session), 'luns')
    const { expiresAt } = (await recordOf(lab.store, id)).record
    t.ok(expiresAt >= before + 3_600_000, `${expiresAt - before} ms, of 3,600,000`)
  }
})

t.test('a record that is of another node is left alone, at the start and under way', async t => {
  const { lab, id } = await overCrash(t, ({ store }, id) => rewrite(store, id, { node: 'elsewhere' }))
  t.match(await lab.logged('leases.elsewhere'), { leases: 1 })
  t.equal(lab.leases.get(id), undefined)
  t.same(lab.files.volumes, [`lease_${id}.lun0`], 'with its disks')
  const own = await lab.leases.create(ACCOUNT, ONE)
  await rewrite(lab.store, own.id, { node: 'elsewhere' })
  t.match(await lab.leases.attach(own.id, 1), refused(0x0300))
  t.match(await lab.logged('lease.refused'), { leaseId: own.id, why: /lease of node elsewhere/ })
  t.equal((await recordOf(lab.store, own.id)).record.node, 'elsewhere', 'it is not written over')
})

t.test('a record that is damaged under way refuses that lease alone, and is kept', async t => {
  const redis = await RedisServer.start({ folder: join(testFolder(t), 'redis') })
  t.teardown(() => redis.stop())
  const dataDir = join(t.testdirName, 'data')
  const lab = await LeaseLab.start(t, dataDir, await openState({ url: redis.url, path: dataDir }))
  const [damaged, senseless, whole] = [
    await lab.leases.create(ACCOUNT, ONE),
    await lab.leases.create(ACCOUNT, ONE),
    await lab.leases.create(ACCOUNT, ONE),
  ]
  await redis.command('set', `scsipub:1:leases:${damaged.id}`, '{')
  await lab.store.put('leases', senseless.id, { id: senseless.id }, (await recordOf(lab.store, senseless.id)).version)
  for (const { id } of [damaged, senseless]) {
    t.match(await lab.leases.attach(id, 1), refused(0x0300))
    t.match(lab.leases.get(id), { refused: /its record is damaged/ })
  }
  t.equal(await redis.command('get', `scsipub:1:leases:${damaged.id}`), '{')
  t.hasProp(await lab.leases.attach(whole.id, 2), 'luns')
})

t.test('a warning that comes late moves the end: nobody is warned and evicted at once', async t => {
  const lab = await LeaseLab.start(t)
  const { id } = await lab.leases.create(ACCOUNT, { ...ONE, ttlSeconds: 10 })
  await lab.leases.create(ACCOUNT, { ...ONE, ttlSeconds: 1 }) // whose time has all looked at
  lab.aheadMs = 3_600_000 // as after a sleep of the machine
  const woke = Date.now() + lab.aheadMs
  const line = (event: string) => lab.log.find(line => line.event === event && line['leaseId'] === id)
  await until('it is warned of', () => line('lease.expiring') !== undefined)
  const end = Date.parse(String(line('lease.expiring')?.['expiresAt']))
  t.ok(end >= woke + 1_000, `${end - woke} ms after it woke, of 1,000`)
  await until('it is gone', () => line('lease.gone') !== undefined)
  t.ok(Date.now() + lab.aheadMs >= end, 'not before that')
})

t.test('the ledger has secrets: its files are for their owner alone', async t => {
  const lab = await LeaseLab.start(t)
  await lab.leases.create(ACCOUNT, ONE)
  const folder = join(t.testdirName, 'leases')
  t.equal(statSync(folder).mode & 0o077, 0)
  for (const name of ['node', ...lab.files.ledger]) t.equal(statSync(join(folder, name)).mode & 0o077, 0, name)
})
