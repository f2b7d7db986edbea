/** Private images after a server that was killed in the midst of something. */
import { join } from 'node:path'
import { isDamaged, openState } from '@scsipub/state'
import { testFolder } from '@scsipub/testkit'
import t from 'tap'
import { ACCOUNT, LeaseLab, MIB } from '../fixtures/lease-lab.js'

t.test(
  'an image whose removal was begun while a disk stands on it is there again; the rest of the recovery is done',
  async t => {
    const dataDir = testFolder(t)
    const first = await LeaseLab.start(t, dataDir)
    const { leases } = first
    const { id } = await leases.create(ACCOUNT, { luns: [{ sizeBytes: MIB }] })
    const image = await leases.snapshot(id, { name: 'kept' }, ACCOUNT.limits)
    const other = await leases.create(ACCOUNT, { luns: [{ sizeBytes: MIB }] })
    await first.crash()

    const store = await openState({ path: join(dataDir, 'state') })
    const change = async (kind: 'images' | 'leases', key: string, state: string) => {
      const entry = await store.get(kind, key)
      if (!entry || isDamaged(entry)) throw new Error(`no record of ${key}`)
      await store.put(kind, key, { ...(entry.value as object), state }, entry.version)
    }
    await change('images', image.id, 'removing')
    await change('leases', other.id, 'evicting')

    const lab = await LeaseLab.start(t, dataDir, store)
    t.match(await lab.logged('lease.gone'), { leaseId: other.id }, 'the lease that was to go has gone')
    t.same(lab.leases.images(ACCOUNT.id), [image])
    t.equal(lab.count('lease.recovery.failed'), 0)
    await t.rejects(lab.leases.removeImage(ACCOUNT.id, image.id), { code: 'image-in-use' })
    t.same(lab.leases.images(ACCOUNT.id), [image])
    await lab.leases.remove(id)
    await lab.leases.removeImage(ACCOUNT.id, image.id)
    t.same(lab.leases.images(ACCOUNT.id), [])
  },
)
