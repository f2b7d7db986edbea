/** The bytes of an account's tier bound what is asked for at the same time, too: whatever is being made counts from the moment that it was allowed. */
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ACCOUNT, LeaseLab, MIB } from '../fixtures/lease-lab.js'
import type { LeaseError } from './lease-error.js'
import type { LeaseView } from './lease-view.js'
import type { Leases } from './leases.js'

const MAX = 16 * MIB
const account = { ...ACCOUNT, limits: { ...ACCOUNT.limits, maxBytes: MAX } }
const { limits } = account

/** An account with a lease of 4 MiB in two LUNs: 12 MiB are left. */
async function begin(t: Test): Promise<{ lab: LeaseLab; leases: Leases; id: string }> {
  const lab = await LeaseLab.start(t)
  const { id } = await lab.leases.create(account, { luns: [{ sizeBytes: 2 * MIB }, { sizeBytes: 2 * MIB }] })
  return { lab, leases: lab.leases, id }
}

function bytesOf(leases: Leases): number {
  const luns = leases.list(account.id).reduce((sum, lease) => sum + sizeOf(lease), 0)
  return leases.images(account.id).reduce((sum, { sizeBytes }) => sum + sizeBytes, luns)
}

function sizeOf({ luns }: LeaseView): number {
  return luns.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}

async function codeOf(action: Promise<unknown>): Promise<string> {
  return action.then(
    () => 'done',
    ({ code }: LeaseError) => code,
  )
}

/** What makes an account have 8 MiB more; `lun` is the one to grow. */
const GROWTHS: Record<string, (leases: Leases, id: string, lun: number) => Promise<unknown>> = {
  'a LUN that is added': (leases, id) => leases.addLun(id, { sizeBytes: 8 * MIB }, limits),
  'a LUN that grows': (leases, id, lun) => leases.resizeLun(id, lun, 10 * MIB, limits),
  'a new lease': leases => leases.create(account, { luns: [{ sizeBytes: 8 * MIB }] }),
}

for (const [first, begun] of Object.entries(GROWTHS)) {
  for (const [second, asked] of Object.entries(GROWTHS)) {
    t.test(`${first}, and ${second} meanwhile: one of them fits`, async t => {
      const { leases, id } = await begin(t)
      const growing = codeOf(begun(leases, id, 0))
      await setImmediate() // it has been allowed, and waits for its volumes
      t.equal(await codeOf(asked(leases, id, 1)), 'quota-exceeded')
      t.equal(await growing, 'done')
      t.equal(bytesOf(leases), 12 * MIB)
      t.equal(await codeOf(leases.create(account, { luns: [{ sizeBytes: 4 * MIB }] })), 'done', 'the rest is free')
      t.equal(bytesOf(leases), MAX)
    })
  }
}

t.test('snapshots that are being taken count', async t => {
  const { leases, id } = await begin(t)
  await leases.resizeLun(id, 0, 6 * MIB, limits)
  const taking = codeOf(leases.snapshot(id, { lun: 0, name: 'one' }, limits))
  await setImmediate()
  t.equal(await codeOf(leases.create(account, { luns: [{ sizeBytes: 4 * MIB }] })), 'quota-exceeded')
  t.equal(await taking, 'done')
  t.equal(bytesOf(leases), 14 * MIB)
  const [image] = leases.images(account.id)
  await leases.removeLun(id, 0) // which stands on it
  await leases.removeImage(account.id, image!.id)
  t.equal(
    await codeOf(leases.create(account, { luns: [{ sizeBytes: 14 * MIB }] })),
    'done',
    'and no more when it is gone',
  )
})

t.test('a private image counts while its removal may still fail, and when it has failed', async t => {
  const { leases, id } = await begin(t)
  const { id: image } = await leases.snapshot(id, { lun: 0, name: 'gold' }, limits)
  await leases.create(account, { luns: [{ image }] })
  const removing = codeOf(leases.removeImage(account.id, image))
  await setImmediate()
  t.equal(await codeOf(leases.addLun(id, { sizeBytes: 9 * MIB }, limits)), 'quota-exceeded')
  t.equal(await removing, 'image-in-use')
  t.equal(await codeOf(leases.addLun(id, { sizeBytes: 9 * MIB }, limits)), 'quota-exceeded')
  t.equal(await codeOf(leases.addLun(id, { sizeBytes: 8 * MIB }, limits)), 'done')
  t.equal(bytesOf(leases), MAX)
})

t.test('an image is removed once, whoever asks at the same time', async t => {
  const { leases, id } = await begin(t)
  const { id: image } = await leases.snapshot(id, { lun: 0, name: 'gold' }, limits)
  await leases.removeLun(id, 0) // which stands on it
  const ends = [leases.removeImage(account.id, image), leases.removeImage(account.id, image)]
  t.same(await Promise.all(ends.map(codeOf)), ['done', 'image-unknown'])
})

t.test('a change that fails leaves nothing behind that counts', async t => {
  const { lab, leases, id } = await begin(t)
  lab.failing.add('volume.open')
  lab.failing.add('volume.resize')
  lab.failing.add('volume.snapshot')
  for (const [title, grow] of Object.entries(GROWTHS)) t.equal(await codeOf(grow(leases, id, 0)), 'failed', title)
  t.equal(await codeOf(leases.snapshot(id, { name: 'none' }, limits)), 'failed')
  t.equal(bytesOf(leases), 4 * MIB)
  lab.failing.clear()
  t.equal(await codeOf(leases.addLun(id, { sizeBytes: 12 * MIB }, limits)), 'done')
})
