/**
 * A state store that refuses single operations and goes on being available, so that it never tells of being there again: what it refused is tried again
 * all the same. Redis, in which somebody has put a list in the place of the last version.
 */
import { join } from 'node:path'
import { openState } from '@scsipub/state'
import { RedisServer, testFolder } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { ACCOUNT, LeaseLab, MIB } from '../fixtures/lease-lab.js'
import { until } from '../fixtures/until.js'

const STAMP = 'scsipub:1:stamp'
const refused = (status: number) => ({ refuse: { class: status >>> 8, detail: status & 0xff } })

/** A lease in a Redis that refuses operations from `spoil` on until `mend`. */
async function begin(t: Test) {
  const redis = await RedisServer.start({ folder: join(testFolder(t), 'redis') })
  t.teardown(() => redis.stop())
  const dataDir = join(t.testdirName, 'data')
  const start = async () => LeaseLab.start(t, dataDir, await openState({ url: redis.url, path: dataDir }))
  const lab = await start()
  const { id } = await lab.leases.create(ACCOUNT, { luns: [{ sizeBytes: MIB }] })
  const spoil = async () => {
    await redis.command('rename', STAMP, 'aside')
    await redis.command('rpush', STAMP, 'no number')
  }
  return { lab, id, start, spoil, mend: () => redis.command('rename', 'aside', STAMP) }
}

t.test('what was not written is written a while later', async t => {
  const { lab, id, spoil, mend } = await begin(t)
  t.hasProp(await lab.leases.attach(id, 1), 'luns')
  await spoil()
  t.match(await lab.leases.attach(id, 2), refused(0x0301))
  await lab.leases.detach(1)
  t.match(lab.leases.get(id), { state: 'suspended' })
  t.equal((await lab.recorded(id))?.state, 'attached')
  await mend()
  await until('it is written', async () => (await lab.recorded(id))?.state === 'suspended')
  t.equal(lab.leases.available, true)
})

t.test('an eviction that could not be finished is finished a while later', async t => {
  const { lab, id, spoil, mend } = await begin(t)
  t.hasProp(await lab.leases.attach(id, 1), 'luns')
  lab.stubborn.add(1)
  await lab.leases.remove(id)
  await spoil()
  lab.stubborn.clear()
  await until('its disks are gone', () => lab.files.volumes.length === 0)
  t.equal((await lab.recorded(id))?.state, 'evicting')
  await mend()
  await lab.logged('lease.gone')
  t.equal(await lab.recorded(id), undefined)
  t.same(lab.files, { volumes: [], ledger: [] })
})

t.test('leases that could not be read at the start are read a while later', async t => {
  const { lab, id, start, spoil, mend } = await begin(t)
  await lab.crash()
  await spoil()
  const next = await start()
  t.equal(next.store.available, true)
  t.match(next.leases.targets.find(id), refused(0x0301))
  t.same(next.files.volumes, [`lease_${id}.lun0`])
  await mend()
  await until('the lease is there', () => next.leases.get(id) !== undefined)
  t.hasProp(await next.leases.attach(id, 1), 'luns')
})
