// What a session has of its logical units when it goes from worker to worker: unit attentions, reservations of either kind, copies and tokens, a SANITIZE that is waited for; and what
// others do to the units meanwhile.

import { r2t, TaskManagementFunction, TaskManagementStatus } from '@scsipub/iscsi'
import { status } from '@scsipub/scsi'
import {
  type CommandResult,
  cdb,
  copyCdb,
  copyList,
  type Initiator,
  naaDesignation,
  overwriteList,
  persistentReserveOut,
  populateList,
  prOut,
  provisioningCdb,
  sanitizeAction,
  tokenInformation,
  writeUsingList,
} from '@scsipub/testkit'
import t from 'tap'
import { LAB, withMovingServer } from './hand-over-lab.js'
import { BLOCK, cdbOf, content, withSession, withSessions } from './lab.js'

const WERO = 5
const RESERVE = cdbOf('16')
const RELEASE = cdbOf('17')
const SOLICITED = { InitialR2T: 'Yes', ImmediateData: 'No' }
const target = LAB
const KIND = { blockBytes: 512, readOnly: false, removable: false, thin: true }
const ISID = Buffer.from('80a1b2c3d4e5', 'hex')
const OVERWRITE = sanitizeAction.overwrite
/** Over a disk of 64 MiB, each takes a second. */
const PASSES = 16

const said = ({ sense, status }: CommandResult) => sense ?? status
const attention = async (initiator: Initiator, lun = 0) => said(await initiator.execute(cdb.testUnitReady(), lun))
const out = async (initiator: Initiator, ...args: [number, Parameters<typeof persistentReserveOut>[2]?, number?]) =>
  said(await persistentReserveOut(initiator, ...args))
const write = async (initiator: Initiator, lba: number, data: Buffer) =>
  said(await initiator.executeWrite(cdb.write10(lba, data.length / BLOCK), data))

await withMovingServer(t, async server => {
  await t.test('unit attentions that are pending, in their order, on each LUN once [SAM-5 §5.14]', async t => {
    await withSessions(server, { target, count: 2 }, async (...both) => {
      const [one, other] = both as [Initiator, Initiator]
      t.equal(await one.manageTask(TaskManagementFunction.logicalUnitReset, { lun: 1 }), 0)
      await server.moveAll()
      await server.changeDisks(LAB, { add: [{ lun: 9, product: 'nine', sizeBytes: 1 << 20, kind: KIND }] })
      await server.moveAll()
      t.equal(await attention(other, 1), '6/29/03')
      t.equal(await attention(other, 1), '6/3f/0e')
      await server.moveAll()
      t.equal(await attention(other, 1), status.good)
      t.equal(await attention(other, 0), '6/3f/0e')
      t.equal(await attention(other, 9), '6/29/01')
      await server.changeDisks(LAB, { remove: [9] })
      for (const initiator of both) for (const lun of [0, 1, 1, 1]) await attention(initiator!, lun)
      t.equal(await attention(other, 9), '5/25/00')
    })
    await withSession(server, { target, isid: ISID }, async first => {
      await server.moveAll()
      await withSession(server, { target, isid: ISID }, async second => {
        await server.moveAll()
        t.equal(await attention(second), '6/29/07', 'of the session that was reinstated [7143 §6.3.5]')
        t.equal(await attention(second), status.good)
      })
      await first.wire.closed
    })
  })

  await t.test('mode parameters that others change meanwhile: 2A/01 [SPC-4 §5.8.4]', async t => {
    await withSessions(server, { target, count: 2 }, async (...both) => {
      const [one, other] = both as [Initiator, Initiator]
      const list = Buffer.from('000000000a0a0610000000' + '00ffff0000', 'hex')
      await server.restless(async () => {
        t.equal(said(await one.executeWrite(cdbOf(`15 10 00 00 ${list.length.toString(16)}`), list)), status.good)
      })
      t.equal(await attention(other), '6/2a/01')
      list[6] = 0x02 // D_SENSE as it was
      t.equal(said(await one.executeWrite(cdbOf(`15 10 00 00 ${list.length.toString(16)}`), list)), status.good)
      t.equal(await attention(other), '6/2a/01')
      t.equal(await attention(other), status.good)
    })
  })

  await t.test('RESERVE is held where the session goes, also when its first worker is gone [SPC-2 §7.21]', async t => {
    await withSessions(server, { target, count: 2 }, async (...both) => {
      const [holder, other] = both as [Initiator, Initiator]
      t.equal(said(await holder.execute(RESERVE)), status.good)
      for (const id of server.workers.threadIds) t.equal((await server.workers.replaceThread(id)).dropped, 0)
      t.equal(await write(other, 0, content(BLOCK, 1)), status.reservationConflict)
      t.equal(await write(holder, 0, content(BLOCK, 2)), status.good)
      t.equal(said(await holder.execute(RELEASE)), status.good)
      t.equal(await write(other, 0, content(BLOCK, 3)), status.good)
      t.equal(said(await holder.execute(RESERVE)), status.good)
      await server.moveAll()
      await holder.logout()
      t.equal(await write(other, 0, content(BLOCK, 3)), status.good, 'it ends with the session')
    })
  })

  await t.test('a persistent reservation keeps out and lets in as before [SPC-4 §5.13]', async t => {
    await withSessions(server, { target, count: 2 }, async (...both) => {
      const [holder, other] = both as [Initiator, Initiator]
      t.equal(await out(holder, prOut.register, { serviceActionKey: 1 }), status.good)
      t.equal(await out(holder, prOut.reserve, { key: 1, type: WERO }), status.good)
      await server.moveAll()
      t.equal(await write(other, 0, content(BLOCK, 1)), status.reservationConflict)
      t.equal(await write(holder, 0, content(BLOCK, 1)), status.good)
      t.equal(await out(holder, prOut.clear, { key: 1 }), status.good)
    })
  })

  await t.test(
    'PREEMPT AND ABORT of a session that is on its way: nothing of it lands after the answer [SPC-4 §5.13.11.2.6]',
    async t => {
      const BLOCKS = 64
      const ROUNDS = 25
      const keys = { ...SOLICITED, MaxBurstLength: '4096', MaxOutstandingR2T: '2' }
      for (let round = 0; round < ROUNDS; round++) {
        await withSession(server, { target }, async fencer => {
          await withSession(server, { target, keys }, async victim => {
            t.equal(await out(fencer, prOut.registerAndIgnoreExistingKey, { serviceActionKey: 1 }), status.good)
            t.equal(await out(victim, prOut.registerAndIgnoreExistingKey, { serviceActionKey: 2 }), status.good)
            t.equal(await out(fencer, prOut.reserve, { key: 1, type: WERO }), status.good)
            // Writes at full speed, each answered R2T by R2T, and some that are half sent.
            let over = false
            const lanes = Array.from({ length: 8 }, async (_, lane) => {
              const data = content(BLOCKS * BLOCK, 100 + lane)
              while (!over) {
                const result = await victim
                  .executeWrite(cdb.write10(lane * BLOCKS, BLOCKS), data)
                  .catch(() => undefined)
                if (!result || result.status !== status.good) return result?.status
              }
              return undefined
            })
            const moves = server.moveAll()
            await new Promise(resolve => setTimeout(resolve, (round * 7) % 12))
            const fenced = await out(fencer, prOut.preemptAndAbort, { key: 1, serviceActionKey: 2, type: WERO })
            t.equal(fenced, status.good)
            const own = content(8 * BLOCKS * BLOCK, round)
            await fencer.write(0, own)
            over = true
            await moves
            // Whatever the victim still sends of what it began is in vain.
            await victim.ping()
            t.ok((await fencer.read(0, 8 * BLOCKS)).equals(own), `round ${round}`)
            t.equal((await attentions(victim)).at(-1), '6/2a/05', 'REGISTRATIONS PREEMPTED')
            await server.moveAll()
            t.equal(await write(victim, 0, content(BLOCK, 5)), status.reservationConflict)
            t.ok((await fencer.read(0, 8 * BLOCKS)).equals(own), `round ${round}, later`)
            await victim.close('reset')
            await Promise.all(lanes)
            t.equal(await out(fencer, prOut.clear, { key: 1 }), status.good)
          })
        })
      }
    },
  )

  await t.test('LOGICAL UNIT RESET and CLEAR TASK SET by another session reach one on its way [SAM-5 §7]', async t => {
    await withSessions(server, { target, keys: SOLICITED, count: 2 }, async (...both) => {
      const [one, other] = both as [Initiator, Initiator]
      for (const [fn, sense] of [
        [TaskManagementFunction.logicalUnitReset, '6/29/03'],
        [TaskManagementFunction.clearTaskSet, '6/2f/00'],
      ] as const) {
        for (let round = 0; round < 12; round++) {
          await one.write(0, content(BLOCK, 1))
          const tag = other.beginWrite(cdb.write10(0, 1), content(BLOCK, 2))
          const { targetTransferTag } = await other.take(r2t, tag)
          const moves = server.moveAll()
          t.equal(await one.manageTask(fn), TaskManagementStatus.functionComplete)
          await moves
          const last = { initiatorTaskTag: tag, targetTransferTag, bufferOffset: 0, dataSn: 0, final: true }
          other.dataOut(last, content(BLOCK, 2))
          t.equal(await attention(other), sense)
          t.equal(await attention(other), status.good)
          if (fn === TaskManagementFunction.logicalUnitReset) t.equal(await attention(one), sense)
          t.ok((await one.read(0, 1)).equals(content(BLOCK, 1)))
        }
      }
    })
  })

  await t.test('LUNs come and go while sessions move', async t => {
    await withSessions(server, { target, count: 3 }, async (...all) => {
      await server.restless(async () => {
        for (let round = 0; round < 6; round++) {
          await server.changeDisks(LAB, { add: [{ lun: 7, product: 'seven', sizeBytes: 1 << 20, kind: KIND }] })
          for (const initiator of all) {
            t.equal(await attention(initiator!, 7), '6/29/01')
            t.equal(await write(initiator!, 0, content(BLOCK, 1)), '6/3f/0e')
          }
          await server.changeDisks(LAB, { remove: [7] })
          for (const initiator of all) {
            t.equal(await attention(initiator!, 7), '5/25/00')
            t.equal(await attention(initiator!, 0), '6/3f/0e')
            t.equal(await attention(initiator!, 1), '6/3f/0e')
          }
        }
      })
    })
  })

  await t.test(
    'a copy ends before its session goes; what is known of it, and its tokens, go too [SPC-4 §5.17]',
    async t => {
      await withSession(server, { target }, async initiator => {
        const data = content(1 << 20, 4)
        await initiator.write(0, data)
        const units = [await unitOf(initiator, 0), await unitOf(initiator, 1)]
        const segment = { source: 0, destination: 1, blocks: 0xffff, sourceLba: 0, destinationLba: 0 }
        const list = copyList(units, [segment, segment, segment, segment], 9)
        const copying = initiator.executeWrite(copyCdb.extendedCopy(list.length), list)
        await initiator.ping()
        await server.moveAll()
        t.equal(said(await copying), status.good)
        t.ok((await initiator.read(0, 2048, 1)).equals(data))
        t.equal((await initiator.executeRead(copyCdb.copyStatus(9), 255)).data[4]! & 0x7f, 0x01, 'it has ended well')

        const ranges = [[0, 2048] as const]
        const wanted = populateList(ranges, {})
        t.equal(said(await initiator.executeWrite(copyCdb.populateToken(1, wanted.length), wanted)), status.good)
        await server.moveAll()
        const { token } = tokenInformation((await initiator.executeRead(copyCdb.tokenInformation(1), 1024)).data)
        const use = writeUsingList(Buffer.from(token!), [[4096, 2048]], {})
        t.equal(
          said(await initiator.executeWrite(copyCdb.writeUsingToken(2, use.length), use, { lun: 1 })),
          status.good,
        )
        t.ok((await initiator.read(4096, 2048, 1)).equals(data))
        await server.moveAll()
      })
    },
  )

  await t.test('a SANITIZE is answered when it has ended, wherever its session is by then [SBC-3 §4.11.2]', async t => {
    await withSession(server, { target }, async initiator => {
      const list = overwriteList(PASSES, content(BLOCK, 6))
      const command = provisioningCdb.sanitize(OVERWRITE, { parameterListLength: list.length })
      const tag = initiator.beginWrite(command, list, { lun: 1 })
      t.equal(await attention(initiator, 0), status.good)
      await server.moveAll()
      await server.moveAll()
      t.equal(said(await initiator.execute(cdb.testUnitReady(), 1)), '2/04/1b', 'it is under way')
      t.equal(said(await initiator.collect(tag, list, 120_000)), status.good)
      t.ok((await initiator.read(8, 1, 1)).equals(content(BLOCK, 6)))
    })
  })
})

/** Takes all unit attentions. */
async function attentions(initiator: Initiator): Promise<(string | number)[]> {
  const told = []
  for (let next = await attention(initiator); next !== status.good; next = await attention(initiator)) told.push(next)
  return told
}

/** How the session's LUN is named in a copy. */
async function unitOf(initiator: Initiator, lun: number): Promise<Buffer> {
  const { data } = await initiator.executeRead(cdb.vitalProductData(0x83), 1024, lun)
  return naaDesignation(data.subarray(4))
}
