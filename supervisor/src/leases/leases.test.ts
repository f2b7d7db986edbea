/** Leases from their making to their end, with the real storage engine and the embedded store. */
import { setImmediate, setTimeout } from 'node:timers/promises'
import t from 'tap'
import { ACCOUNT, LeaseLab, MIB } from '../fixtures/lease-lab.js'
import type { LeaseError } from './lease-error.js'

const ONE = { luns: [{ sizeBytes: MIB }] }

async function codesOf(action: Promise<unknown>): Promise<string[]> {
  return action.then(
    () => ['it did not fail'],
    (error: LeaseError) => error.faults.map(({ code, path }) => (path === undefined ? code : `${path} ${code}`)),
  )
}

function grants(attached: Awaited<ReturnType<LeaseLab['leases']['attach']>>) {
  if ('refuse' in attached) throw new Error(`refused: ${attached.refuse.why}`)
  return attached.luns
}

t.test('a lease has an IQN, a CHAP pair that Windows takes, and disks that are there at once', async t => {
  const { leases, ...lab } = await LeaseLab.start(t)
  const lease = await leases.create(ACCOUNT, { ...ONE, name: 'mine', ttlSeconds: 60 })
  t.match(lease, {
    iqn: /^iqn\.2025-01\.pub\.scsipub:[a-z2-7]{26}$/,
    chapSecret: /^[A-Za-z0-9_-]{16}$/,
    state: 'suspended',
    luns: [{ lun: 0, image: 'blank', sizeBytes: MIB }],
    name: 'mine',
    attachedSessions: 0,
    expiring: false,
  })
  t.equal(Date.parse(lease.expiresAt) - Date.parse(lease.createdAt) >= 60_000, true)
  t.same(leases.get(lease.id), lease)
  t.same(leases.list(ACCOUNT.id), [lease])
  t.same(leases.list('stranger'), [])
  const target = leases.targets.find(lease.iqn.slice(lease.iqn.lastIndexOf(':') + 1))
  t.equal(target?.credential?.user, lease.chapUser)
  t.equal(leases.targets.ofUser(lease.chapUser)?.name, lease.iqn)
  t.equal(leases.targets.find('a'.repeat(26)), undefined)
  t.equal(
    lab.log.some(line => JSON.stringify(line).includes(lease.chapSecret)),
    false,
    'no secret is in the log',
  )
})

t.test('everything that stands against a wish is said at once, with codes', async t => {
  const { leases } = await LeaseLab.start(t)
  const luns = [{ sizeBytes: 100 }, { image: 'nothing' }, {}, { sizeBytes: 2 ** 30 + 512 }]
  const wish = { luns, ttlSeconds: 3601, name: 'a\nb' }
  t.same(await codesOf(leases.create(ACCOUNT, wish)), [
    'ttlSeconds ttl-invalid',
    'name name-invalid',
    'luns[0].sizeBytes size-invalid',
    'luns[1].image image-unknown',
    'luns[2] size-invalid',
    'quota-exceeded',
  ])
  t.same(await codesOf(leases.create(ACCOUNT, { luns: [] })), ['luns luns-missing'])
  const many = Array.from({ length: 257 }, () => ({ sizeBytes: 512 }))
  t.same(await codesOf(leases.create(ACCOUNT, { luns: many })), ['luns too-many-luns'])
  t.same(leases.list(), [], 'and nothing is left')
})

t.test('wishes at the same time do not get round the limits of the account', async t => {
  const { leases } = await LeaseLab.start(t)
  const wishes = await Promise.allSettled(Array.from({ length: 5 }, () => leases.create(ACCOUNT, ONE)))
  t.equal(wishes.filter(({ status }) => status === 'fulfilled').length, ACCOUNT.limits.maxSessions)
  t.equal(leases.list().length, ACCOUNT.limits.maxSessions)
})

t.test('sessions share the disks, which are closed after the last one and the same for the next', async t => {
  const lab = await LeaseLab.start(t)
  const { leases } = lab
  const { id } = await leases.create(ACCOUNT, { luns: [{ sizeBytes: MIB }, { sizeBytes: 2 * MIB }] })
  const [a, b] = [grants(await leases.attach(id, 1)), grants(await leases.attach(id, 2))]
  t.same(
    a.map(({ lun, product, volume }) => [lun, product, volume.spec.sizeBytes]),
    [
      [0, 'BLANK', MIB],
      [1, 'BLANK', 2 * MIB],
    ],
  )
  t.same(new Uint8Array(a[0]!.volume.control), new Uint8Array(b[0]!.volume.control))
  t.match(leases.get(id), { state: 'attached', attachedSessions: 2 })
  await leases.detach(1)
  t.match(leases.get(id), { state: 'attached', attachedSessions: 1 })
  await leases.detach(2)
  await leases.detach(2)
  t.match(leases.get(id), { state: 'suspended', attachedSessions: 0 })
  await t.rejects(lab.engine.ask({ kind: 'volume.destroy', volumeId: `lease_${id}.lun0` }), { code: 'gone' })
  const again = grants(await leases.attach(id, 3))
  t.same(again[0]?.volume.identity, a[0]?.volume.identity)
})

t.test('the time of a lease begins when its last session ends, and not when its disks are closed', async t => {
  const { leases } = await LeaseLab.start(t)
  const { id } = await leases.create(ACCOUNT, { ...ONE, ttlSeconds: 60 })
  await leases.attach(id, 1)
  await setTimeout(20)
  const endsMs = Date.now()
  const closed = leases.detach(1)
  while (leases.get(id)?.state === 'attached') await setImmediate()
  t.ok(Date.parse(leases.get(id)!.expiresAt) >= endsMs + 60_000, 'as soon as it is said to be suspended')
  await closed
})

t.test('a lease that nobody uses is warned of, then evicted, and its space is free', async t => {
  const lab = await LeaseLab.start(t)
  const { leases } = lab
  const kept = await leases.create(ACCOUNT, ONE)
  const { id } = await leases.create(ACCOUNT, { ...ONE, ttlSeconds: 1 })
  t.match(await lab.logged('lease.expiring'), { leaseId: id })
  t.ok(leases.get(id)?.expiring ?? true, 'or gone by now')
  await lab.logged('lease.gone')
  t.equal(leases.get(id), undefined)
  t.same(lab.files, { volumes: [`lease_${kept.id}.lun0`], ledger: [`${kept.id}.1.json`] })
  t.equal(await lab.store.get('leases', id), undefined)
  t.equal(lab.count('lease.expiring'), 1)
  t.match(await leases.attach(id, 1), { refuse: { class: 2, detail: 3 } })
})

t.test('its time does not run while it is attached, and begins anew after that', async t => {
  const lab = await LeaseLab.start(t)
  const { leases } = lab
  const { id } = await leases.create(ACCOUNT, { ...ONE, ttlSeconds: 3600 })
  grants(await leases.attach(id, 1))
  const other = await leases.create(ACCOUNT, { ...ONE, ttlSeconds: 1 })
  lab.aheadMs = 7_200_000
  await lab.logged('lease.gone')
  t.equal(leases.get(other.id), undefined, 'whatever was due has been done')
  t.match(leases.get(id), { state: 'attached', expiring: false })
  const before = Date.now() + lab.aheadMs
  await leases.detach(1)
  t.ok(Date.parse(leases.get(id)?.expiresAt ?? '') >= before + 3_600_000, 'from its beginning')
})

t.test('a removed lease ends its sessions; while one would not end, its disks stay', async t => {
  const lab = await LeaseLab.start(t)
  const { leases } = lab
  const { id } = await leases.create(ACCOUNT, ONE)
  grants(await leases.attach(id, 7))
  lab.stubborn.add(7)
  await leases.remove(id)
  t.match(leases.get(id), { state: 'evicting' })
  t.same(lab.files.volumes, [`lease_${id}.lun0`])
  t.match(await leases.attach(id, 8), { refuse: { class: 2, detail: 3 } })
  t.same(await codesOf(leases.addLun(id, { sizeBytes: 512 }, ACCOUNT.limits)), ['busy'])
  lab.stubborn.delete(7)
  await lab.logged('lease.gone')
  t.same(lab.files, { volumes: [], ledger: [] })
  t.same(await codesOf(leases.remove(id)), ['lease-unknown'])
})

t.test('LUNs come at the lowest free number, go, and grow; the last one stays', async t => {
  const lab = await LeaseLab.start(t)
  const { leases } = lab
  const { limits } = ACCOUNT
  const { id } = await leases.create(ACCOUNT, { luns: [{ sizeBytes: MIB }, { sizeBytes: MIB }] })
  const first = grants(await leases.attach(id, 1))
  await leases.detach(1)
  t.same((await leases.removeLun(id, 0)).luns, [{ lun: 1, image: 'blank', sizeBytes: MIB }])
  t.same(lab.files.volumes, [`lease_${id}.lun1`])
  t.same(await codesOf(leases.removeLun(id, 1)), ['luns-missing'])
  t.same(await codesOf(leases.removeLun(id, 0)), ['lun-unknown'])
  t.same(
    (await leases.addLun(id, { sizeBytes: 512 }, limits)).luns.map(({ lun }) => lun),
    [0, 1],
  )
  t.same(await codesOf(leases.addLun(id, { sizeBytes: 2 ** 30 }, limits)), ['quota-exceeded'])
  const second = grants(await leases.attach(id, 2))
  t.not(second[0]?.volume.identity.serial, first[0]?.volume.identity.serial, 'a new unit')
  t.same(second[1]?.volume.identity, first[1]?.volume.identity)
  await leases.detach(2)
  t.same((await leases.resizeLun(id, 1, 2 * MIB, limits)).luns[1], { lun: 1, image: 'blank', sizeBytes: 2 * MIB })
  t.same(await codesOf(leases.resizeLun(id, 1, MIB, limits)), ['sizeBytes size-invalid'])
  t.same(await codesOf(leases.resizeLun(id, 1, 2 ** 30, limits)), ['quota-exceeded'])
  t.equal(grants(await leases.attach(id, 3))[1]?.volume.spec.sizeBytes, 2 * MIB)
})

t.test('a snapshot is a private image that a LUN can begin as, and that stays while one does', async t => {
  const lab = await LeaseLab.start(t)
  const { leases } = lab
  const { limits } = ACCOUNT
  const { id } = await leases.create(ACCOUNT, ONE)
  const image = await leases.snapshot(id, { name: 'gold' }, limits)
  t.match(image, { accountId: ACCOUNT.id, name: 'gold', sizeBytes: MIB })
  t.same(leases.images(ACCOUNT.id), [image])
  t.same(leases.images('stranger'), [])
  const stranger = { ...ACCOUNT, id: 'stranger' }
  t.same(await codesOf(leases.create(stranger, { luns: [{ image: image.id }] })), ['luns[0].image image-unknown'])
  const clone = await leases.create(ACCOUNT, { luns: [{ image: image.id }] })
  t.same(clone.luns, [{ lun: 0, image: image.id, sizeBytes: MIB }])
  t.same(await codesOf(leases.removeImage('stranger', image.id)), ['image-unknown'])
  t.same(await codesOf(leases.removeImage(ACCOUNT.id, image.id)), ['image-in-use'])
  t.equal(leases.images(ACCOUNT.id).length, 1)
  await leases.remove(clone.id)
  await leases.remove(id)
  await leases.removeImage(ACCOUNT.id, image.id)
  t.same(leases.images(ACCOUNT.id), [])
  t.same(await lab.store.list('images'), [])
})
