/** What leases come through: crashes at every step, and state stores that forget, fall back, or hold what is damaged. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { isDamaged, openState, type StateStore } from '@scsipub/state'
import { RedisServer, testFolder } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { ACCOUNT, LeaseLab, MIB } from '../fixtures/lease-lab.js'
import { until } from '../fixtures/until.js'
import type { LeaseRecord } from './lease-record.js'

const ONE = { luns: [{ sizeBytes: MIB }] }
const redis = await RedisServer.start({ folder: join(testFolder(t), 'redis') })
t.teardown(() => redis.stop())

/** How each kind of store is opened for one data directory, again and again. */
const STORES: Record<string, (dataDir: string) => Promise<StateStore>> = {
  lmdb: dataDir => openState({ path: join(dataDir, 'state') }),
  redis: dataDir => openState({ url: redis.url, path: join(dataDir, 'state') }),
}

async function recordOf(store: StateStore, id: string): Promise<{ version: number; record: LeaseRecord }> {
  const entry = await store.get('leases', id)
  if (!entry || isDamaged(entry)) throw new Error(`no record of ${id}`)
  return { version: entry.version, record: entry.value as LeaseRecord }
}

/** The login was days ago. */
async function attachedForLong(store: StateStore, id: string): Promise<void> {
  const { version, record } = await recordOf(store, id)
  if (record.state !== 'attached') throw new Error(`lease ${id} is ${record.state}`)
  await store.put('leases', id, { ...record, expiresAt: record.expiresAt - 7 * 86_400_000 }, version)
}

const refused = (status: number) => ({ refuse: { class: status >>> 8, detail: status & 0xff } })

for (const [kind, open] of Object.entries(STORES)) {
  /** A lease, a crash, what `between` does to the store, and the next start. */
  const overCrash = async (
    t: Test,
    between: (store: StateStore, id: string, dataDir: string) => Promise<void>,
    before: (lab: LeaseLab, id: string) => Promise<unknown> = async () => {},
  ) => {
    await redis.command('flushall')
    const dataDir = testFolder(t)
    const first = await LeaseLab.start(t, dataDir, await open(dataDir))
    const made = await first.leases.create(ACCOUNT, ONE)
    await before(first, made.id)
    const lease = first.leases.get(made.id)!
    await first.crash()
    const store = await open(dataDir)
    await between(store, lease.id, dataDir)
    const lab = await LeaseLab.start(t, dataDir, store)
    return { lab, lease, id: lease.id, volumes: lease.luns.map(({ lun }) => `lease_${lease.id}.lun${lun}`) }
  }

  t.test(`${kind}: a lease that was attached when the server was killed has its whole time to come back`, async t => {
    const attach = (lab: LeaseLab, id: string) => lab.leases.attach(id, 1)
    const { lab, lease, id } = await overCrash(t, attachedForLong, attach)
    t.match(lab.leases.get(id), { state: 'suspended', chapSecret: lease.chapSecret, attachedSessions: 0 })
    t.ok(Date.parse(lab.leases.get(id)!.expiresAt) >= Date.parse(lease.createdAt) + 3_600_000)
    await until('it is written', async () => (await lab.recorded(id))?.state === 'suspended')
    t.equal((await lab.recorded(id))?.expiresAt, Date.parse(lab.leases.get(id)!.expiresAt))
    t.hasProp(await lab.leases.attach(id, 1), 'luns')
  })

  t.test(`${kind}: a store that has lost the record costs nothing: the lease is written again`, async t => {
    const { lab, lease, id, volumes } = await overCrash(t, async (store, id) => {
      await store.remove('leases', id, (await recordOf(store, id)).version)
    })
    t.match(lab.leases.get(id), { state: 'suspended', chapSecret: lease.chapSecret, luns: lease.luns })
    t.match(await lab.logged('lease.record.restored'), { leaseId: id })
    t.same(lab.files.volumes, volumes)
    await lab.stop()
    const store = await open(join(t.testdirName))
    t.teardown(() => store.close())
    t.equal((await recordOf(store, id)).record.chapSecret, lease.chapSecret)
  })

  t.test(`${kind}: a store that has fallen back to an earlier record costs no LUN`, async t => {
    let old: LeaseRecord | undefined
    const { lab, id, volumes } = await overCrash(
      t,
      async (store, id) => void (await store.put('leases', id, old, (await recordOf(store, id)).version)),
      async (lab, id) => {
        old = (await recordOf(lab.store, id)).record
        await lab.leases.addLun(id, { sizeBytes: MIB }, ACCOUNT.limits)
      },
    )
    t.equal(volumes.length, 2)
    t.equal(lab.leases.get(id)?.luns.length, 2)
    t.same(lab.files.volumes, volumes)
  })

  if (kind === 'redis') continue // what follows is the same for any store

  t.test(`a making that was interrupted is undone, an eviction finished`, async t => {
    for (const state of ['provisioning', 'evicting'] as const) {
      const { lab, id } = await overCrash(t, async (store, id, dataDir) => {
        const { record, version } = await recordOf(store, id)
        await store.put('leases', id, { ...record, state }, version)
        if (state === 'provisioning') rmSync(join(dataDir, 'leases', `${id}.1.json`))
      })
      await lab.logged('lease.gone')
      t.equal(lab.leases.get(id), undefined, state)
      t.same(lab.files, { volumes: [], ledger: [] })
      t.equal(await lab.store.get('leases', id), undefined)
      await lab.stop()
    }
  })

  t.test('an eviction that was begun is finished, though the store has fallen back to before it', async t => {
    let old: LeaseRecord | undefined
    const { lab, id } = await overCrash(
      t,
      async (store, id) => void (await store.put('leases', id, old, (await recordOf(store, id)).version)),
      async (lab, id) => {
        old = (await recordOf(lab.store, id)).record
        lab.failing.add('volume.remove')
        await lab.leases.remove(id)
        t.same(lab.files.volumes, [`lease_${id}.lun0`])
      },
    )
    t.match(await lab.leases.attach(id, 1), refused(0x0203))
    await lab.logged('lease.gone')
    t.same(lab.files, { volumes: [], ledger: [] })
    t.equal(await lab.store.get('leases', id), undefined)
  })

  t.test(`a record that makes no sense refuses that lease alone, by name, and keeps its disks`, async t => {
    let other = ''
    const { lab, id } = await overCrash(
      t,
      async (store, id) => void (await store.put('leases', id, { id }, (await recordOf(store, id)).version)),
      async lab => (other = (await lab.leases.create(ACCOUNT, ONE)).id),
    )
    t.match(await lab.logged('lease.refused'), { leaseId: id, why: /its record is damaged: .*must have/ })
    t.match(lab.leases.targets.find(id), refused(0x0300))
    t.hasProp(await lab.leases.attach(other, 1), 'luns')
    t.ok(lab.files.volumes.includes(`lease_${id}.lun0`))
  })

  t.test(`volumes that no lease has go, unless nobody knows what leases there were`, async t => {
    const { lab } = await overCrash(t, async (store, id, dataDir) => {
      await store.remove('leases', id, (await recordOf(store, id)).version)
      rmSync(join(dataDir, 'leases', `${id}.1.json`))
    })
    await lab.logged('lease.volumes.removed')
    t.same(lab.files.volumes, [])
    await lab.stop()
    const { lab: next, volumes } = await overCrash(t, async (store, id, dataDir) => {
      await store.remove('leases', id, (await recordOf(store, id)).version)
      rmSync(join(dataDir, 'leases'), { recursive: true })
    })
    t.match(await next.logged('lease.volumes.unknown'), { volumes })
    t.same(next.files.volumes, volumes)
  })

  t.test(`a lease whose disks are not there is refused, never shown with empty ones`, async t => {
    const { lab, id } = await overCrash(t, async (_, id, dataDir) =>
      rmSync(join(dataDir, 'volumes', `lease_${id}.lun0`), { recursive: true }),
    )
    t.match(lab.leases.get(id), { refused: 'volumes of it are missing' })
    t.match(await lab.leases.attach(id, 1), refused(0x0300))
    t.same(lab.files.volumes, [])
    await lab.leases.remove(id)
    t.equal(lab.leases.get(id), undefined, 'its owner can remove it')
  })
}
