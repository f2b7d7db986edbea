// What a host that is fenced has under way when it is fenced, in every shape and in all workers: none of it lands after the answer to PREEMPT AND ABORT
// [SPC-4 §5.13.11.2.6]. Copies that would write to a disk that another one has reserved. And the calls of the Windows cluster validation in their order.

import { r2t } from '@scsipub/iscsi'
import { status } from '@scsipub/scsi'
import {
  type CommandResult,
  cdb,
  copyCdb,
  copyList,
  type Initiator,
  naaDesignation,
  persistentReserveOut,
  prOut,
  readKeys,
  readReservation,
} from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLOCK, content, withSessions } from './lab.js'

const target = iqn('shared')
const LUNS = 2
const luns = Array.from({ length: LUNS }, () => ({ sizeBytes: 1 << 20 }))
const config = { workers: 4, targets: [{ name: 'shared', auth: 'none', luns }] }
const WERO = 5
const FENCER = 0xa1
const VICTIM = 0xb2
const BLOCKS = 32
const BURST = 4096

const said = ({ sense, status }: CommandResult) => sense ?? status
const out = async (initiator: Initiator, ...args: [number, Parameters<typeof persistentReserveOut>[2]?, number?]) =>
  said(await persistentReserveOut(initiator, ...args))
const register = (initiator: Initiator, serviceActionKey: number, lun = 0) =>
  out(initiator, prOut.registerAndIgnoreExistingKey, { serviceActionKey }, lun)
const write = async (initiator: Initiator, lba: number, data: Buffer, lun = 0) =>
  said(await initiator.executeWrite(cdb.write10(lba, data.length / BLOCK), data, { lun }))

/** Takes all unit attentions. */
async function attentions(initiator: Initiator): Promise<string[]> {
  const told: string[] = []
  for (;;) {
    const { sense } = await initiator.execute(cdb.testUnitReady())
    if (sense === undefined) return told
    told.push(sense)
  }
}

/** A write at `lba` of which `bursts` have been asked for and sent but for the last PDU. */
async function halfSent(initiator: Initiator, lba: number, data: Buffer, bursts: number): Promise<() => void> {
  const tag = initiator.beginWrite(cdb.write10(lba, data.length / BLOCK), data)
  let rest = () => {}
  for (let burst = 0; burst < bursts; burst++) {
    const asked = await initiator.take(r2t, tag)
    const { targetTransferTag, bufferOffset, desiredDataTransferLength } = asked
    const piece = data.subarray(bufferOffset, bufferOffset + desiredDataTransferLength)
    const at = BLOCK * (piece.length / BLOCK - 1)
    const fields = { initiatorTaskTag: tag, targetTransferTag }
    const first = { ...fields, bufferOffset, dataSn: 0, final: false }
    const last = { ...fields, bufferOffset: bufferOffset + at, dataSn: 1, final: true }
    initiator.dataOut(first, piece.subarray(0, at))
    rest = () => initiator.dataOut(last, piece.subarray(at))
    if (burst < bursts - 1) rest()
  }
  return rest
}

await withServer(t, { config }, async server => {
  await t.test('half received writes of victims in all workers: nothing of them lands', async t => {
    const keys = { InitialR2T: 'Yes', ImmediateData: 'No', MaxBurstLength: String(BURST), MaxOutstandingR2T: '1' }
    await withSessions(server, { target, count: 1 }, async first => {
      const fencer = first!
      await withSessions(server, { target, keys, count: 6 }, async (...victims) => {
        await register(fencer, FENCER)
        t.equal(await out(fencer, prOut.reserve, { key: FENCER, type: WERO }), status.good)
        const before = content(victims.length * 2 * BLOCKS * BLOCK, 1)
        t.equal(await write(fencer, 0, before), status.good)
        const rests: (() => void)[] = []
        for (const [at, victim] of victims.entries()) {
          await register(victim, VICTIM)
          // One that lacks the end of its first burst, and one that lacks the end of its last.
          for (const [half, bursts] of [1, (BLOCKS * BLOCK) / BURST].entries()) {
            const lba = (2 * at + half) * BLOCKS
            rests.push(await halfSent(victim, lba, content(BLOCKS * BLOCK, 100 + lba), bursts))
          }
          await victim.ping()
        }
        const fence = { key: FENCER, serviceActionKey: VICTIM, type: WERO }
        t.equal(await out(fencer, prOut.preemptAndAbort, fence), status.good)
        t.ok((await fencer.read(0, before.length / BLOCK)).equals(before), 'as it was, when the answer is there')
        for (const rest of rests) rest()
        for (const victim of victims) {
          await victim.ping()
          t.same(victim.wire.inbox.unread, [], 'no status and no R2T')
          t.same(await attentions(victim), ['6/2f/00', '6/2a/05'])
          t.equal(await write(victim, 0, content(BLOCK, 3)), status.reservationConflict)
        }
        t.ok((await fencer.read(0, before.length / BLOCK)).equals(before), 'and after the rest has come')
        t.same((await readKeys(fencer)).keys, [FENCER])
        await out(fencer, prOut.clear, { key: FENCER })
      })
    })
  })

  await t.test('a copy does not write to a disk that is reserved by somebody else [SPC-4 §5.13.1]', async t => {
    await withSessions(server, { target, count: 2 }, async (first, second) => {
      const [holder, copier] = [first!, second!]
      const unitOf = async (lun: number) =>
        naaDesignation((await copier.executeRead(cdb.vitalProductData(0x83), 1024, lun)).data.subarray(4))
      const data = content(BLOCK, 5)
      const kept = content(BLOCK, 6)
      await write(copier, 0, data)
      await write(copier, 0, kept, 1)
      await register(holder, FENCER, 1)
      t.equal(await out(holder, prOut.reserve, { key: FENCER, type: WERO }, 1), status.good)
      const segment = { source: 0, destination: 1, blocks: 1, sourceLba: 0, destinationLba: 0 }
      const list = copyList([await unitOf(0), await unitOf(1)], [segment])
      const copy = async () => said(await copier.executeWrite(copyCdb.extendedCopy(list.length), list))
      t.equal(await write(copier, 0, data, 1), status.reservationConflict)
      t.match(await copy(), /^a\//, 'COPY ABORTED')
      t.same(await holder.read(0, 1, 1), kept)
      await register(copier, VICTIM, 1)
      t.equal(await copy(), status.good, 'once it is registered')
      t.same(await holder.read(0, 1, 1), data)
      await out(holder, prOut.clear, { key: FENCER }, 1)
    })
  })

  await t.test('the calls of the Windows cluster validation, of two nodes in their order [SPC-4 §5.13]', async t => {
    const sectors = (node: number) => content(2 * BLOCK, 40 + node)
    await withSessions(server, { target, count: 2 }, async (first, second) => {
      const [one, two] = [first!, second!]
      for (const node of [one, two]) await attentions(node)
      // Nobody has registered: nothing may be done but that.
      const none = status.reservationConflict
      t.equal(await out(one, prOut.clear, { key: FENCER }), none, 'Clear before Register')
      t.equal(await out(one, prOut.reserve, { key: FENCER, type: WERO }), none, 'Reserve before Register')
      t.equal(await out(one, prOut.preempt, { key: FENCER, serviceActionKey: VICTIM, type: WERO }), none)
      t.equal(await out(one, prOut.release, { key: FENCER, type: WERO }), none)
      t.equal(await register(one, 0), status.good, 'UnRegister before Register')
      t.same(await readReservation(one), undefined, 'IsPRPresent: none')

      // Register → Clear → Register → Reserve, by the first node.
      t.equal(await register(one, FENCER), status.good)
      t.equal(await out(one, prOut.clear, { key: FENCER }), status.good)
      t.equal(await register(one, FENCER), status.good)
      t.equal(await out(one, prOut.reserve, { key: FENCER, type: WERO }), status.good)
      t.same(await readReservation(one), { key: FENCER, scope: 0, type: WERO }, 'IsPRPresent: self')
      t.same(await readReservation(two), { key: FENCER, scope: 0, type: WERO }, 'IsPRPresent on the other node')
      t.same((await readKeys(two)).keys, [FENCER])

      // The other one may read the sectors that arbitration is about, not write them; nor reserve.
      t.equal(await write(one, 10, sectors(1)), status.good)
      t.same(await two.read(10, 2), sectors(1))
      t.equal(await write(two, 10, sectors(2)), none)
      t.equal(await register(two, VICTIM), status.good)
      t.equal(await out(two, prOut.reserve, { key: VICTIM, type: WERO }), none)
      t.equal(await out(two, prOut.release, { key: VICTIM, type: WERO }), status.good, 'Release by who holds nothing')
      t.equal(await write(two, 10, sectors(2)), status.good, 'a registered node may write')

      // Challenge and defence: the holder registers anew under the same key and reserves again, which changes nothing.
      t.equal(await register(one, FENCER), status.good)
      t.equal(await out(one, prOut.reserve, { key: FENCER, type: WERO }), status.good)
      t.same((await readKeys(one)).keys, [FENCER, VICTIM])

      // The challenger wins: Preempt, and the one that lost unregisters in vain.
      const preempt = { key: VICTIM, serviceActionKey: FENCER, type: WERO }
      t.equal(await out(two, prOut.preempt, preempt), status.good)
      t.same(await attentions(one), ['6/2a/05'])
      t.same(await readReservation(one), { key: VICTIM, scope: 0, type: WERO })
      t.equal(await out(one, prOut.release, { key: FENCER, type: WERO }), none)
      t.equal(await write(one, 10, sectors(1)), none)
      t.equal(await out(two, prOut.preempt, preempt), none, 'Preempt of a key that is gone')

      // Failover back: Register → Preempt and Abort; Release; UnRegister.
      t.equal(await register(one, FENCER), status.good)
      t.equal(await out(one, prOut.preemptAndAbort, { key: FENCER, serviceActionKey: VICTIM, type: WERO }), status.good)
      t.same(await attentions(two), ['6/2a/05'])
      t.equal(await write(one, 10, sectors(1)), status.good)
      t.equal(await register(two, VICTIM), status.good)
      t.equal(await out(one, prOut.release, { key: FENCER, type: WERO }), status.good)
      t.same(await attentions(two), ['6/2a/04'])
      t.same(await readReservation(two), undefined)
      for (const node of [one, two]) t.equal(await register(node, 0), status.good, 'UnRegister')
      t.same((await readKeys(two)).keys, [])
      t.same(await two.read(10, 2), sectors(1))
    })
  })
})
