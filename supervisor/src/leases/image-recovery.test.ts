/** Private images over crashes: what was begun is finished, what makes no sense is refused alone, and a removal that failed can be asked for again. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { isDamaged, openState, type StateStore } from '@scsipub/state'
import { testFolder } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { ACCOUNT, LeaseLab, MIB } from '../fixtures/lease-lab.js'
import { until } from '../fixtures/until.js'

const ONE = { luns: [{ sizeBytes: MIB }] }
const open = (dataDir: string) => openState({ path: join(dataDir, 'state') })

interface Record {
  readonly state: string
  readonly [key: string]: unknown
}

async function change(store: StateStore, id: string, other: (record: Record) => unknown): Promise<void> {
  const entry = await store.get('images', id)
  if (!entry || isDamaged(entry)) throw new Error(`no record of ${id}`)
  await store.put('images', id, other(entry.value as Record), entry.version)
}

const stateOf = async ({ store }: LeaseLab, id: string) => {
  const entry = await store.get('images', id)
  return entry && !isDamaged(entry) ? (entry.value as Record).state : undefined
}

const snapshotsOf = async ({ engine }: LeaseLab) =>
  (await engine.ask({ kind: 'snapshot.list' })).snapshots.map(({ snapshotId }) => snapshotId)

const listed = ({ leases }: LeaseLab) => leases.images(ACCOUNT.id).map(({ id }) => id)

/** Two images of a lease that has gone, the second standing on the first; a crash, what `between` does to the second, and the next start. */
async function overCrash(t: Test, between: (store: StateStore, id: string, dataDir: string) => Promise<void>) {
  const dataDir = testFolder(t)
  const first = await LeaseLab.start(t, dataDir)
  const { id: lease } = await first.leases.create(ACCOUNT, ONE)
  const { id: other } = await first.leases.snapshot(lease, { name: 'one' }, ACCOUNT.limits)
  const { id } = await first.leases.snapshot(lease, { name: 'two' }, ACCOUNT.limits)
  await first.leases.remove(lease)
  await first.crash()
  const store = await open(dataDir)
  await between(store, id, dataDir)
  const lab = await LeaseLab.start(t, dataDir, store)
  return { lab, id, other }
}

t.test('an image whose snapshot had been taken is there after a crash, with its bytes', async t => {
  const { lab, id, other } = await overCrash(t, (store, id) =>
    change(store, id, record => ({ ...record, state: 'making' })),
  )
  await until('it is there', () => listed(lab).includes(id))
  t.same(listed(lab).toSorted(), [id, other].toSorted())
  t.equal(await stateOf(lab, id), 'ready')
  t.equal((await lab.leases.create(ACCOUNT, { luns: [{ image: id }] })).luns[0]?.sizeBytes, MIB)
})

t.test('one whose snapshot had not been taken is forgotten', async t => {
  const { lab, id, other } = await overCrash(t, async (store, id, dataDir) => {
    await change(store, id, record => ({ ...record, state: 'making' }))
    rmSync(join(dataDir, 'snapshots', id), { recursive: true })
  })
  await until('its record is gone', async () => (await stateOf(lab, id)) === undefined)
  t.same(listed(lab), [other])
})

t.test('a removal that was begun is finished, and its blocks are free', async t => {
  const { lab, id, other } = await overCrash(t, (store, id) =>
    change(store, id, record => ({ ...record, state: 'removing' })),
  )
  await until('it is gone', () => !listed(lab).includes(id))
  t.same(listed(lab), [other])
  t.equal(await stateOf(lab, id), undefined)
  t.same(await snapshotsOf(lab), [other])
})

t.test('an image whose snapshot is lost, or whose record is damaged, is refused alone, by name', async t => {
  for (const [why, spoil] of [
    [
      /snapshot is not in the data directory/,
      async (_: StateStore, id: string, dataDir: string) => rmSync(join(dataDir, 'snapshots', id), { recursive: true }),
    ],
    [/record is damaged/, (store: StateStore, id: string) => change(store, id, () => ({ id }))],
  ] as const) {
    const { lab, id, other } = await overCrash(t, spoil)
    t.match(await lab.logged('image.refused'), { imageId: id, why })
    t.same(listed(lab), [other])
    const wish = { luns: [{ image: id }] }
    await t.rejects(lab.leases.create(ACCOUNT, wish), { code: 'image-unknown' }, 'never an empty disk in its place')
    t.equal((await lab.leases.create(ACCOUNT, { luns: [{ image: other }] })).luns.length, 1)
    await lab.stop()
  }
})

t.test('an image of another node is left alone', async t => {
  const { lab, id, other } = await overCrash(t, (store, id) =>
    change(store, id, record => ({ ...record, node: 'elsewhere', state: 'removing' })),
  )
  t.same(listed(lab), [other])
  t.equal(await stateOf(lab, id), 'removing')
})

t.test('an image whose removal has failed is still told of, and can be removed again', async t => {
  const lab = await LeaseLab.start(t)
  const { id: lease } = await lab.leases.create(ACCOUNT, ONE)
  const { id } = await lab.leases.snapshot(lease, { name: 'one' }, ACCOUNT.limits)
  await lab.leases.remove(lease)
  lab.failing.add('snapshot.destroy')
  await t.rejects(lab.leases.removeImage(ACCOUNT.id, id), { code: 'failed' })
  t.same(listed(lab), [id])
  await t.rejects(lab.leases.create(ACCOUNT, { luns: [{ image: id }] }), { code: 'image-unknown' })
  lab.failing.clear()
  await lab.leases.removeImage(ACCOUNT.id, id)
  t.same(listed(lab), [])
  t.same(await snapshotsOf(lab), [])
})
