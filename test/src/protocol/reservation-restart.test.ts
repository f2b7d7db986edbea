// What of registrations and reservations outlives the server [SPC-4 §5.13.5]: with APTPL everything, without it nothing; by a clean stop as by SIGKILL
// right after the answer.

import { status } from '@scsipub/scsi'
import {
  cdb,
  persistentReserveIn,
  persistentReserveOut,
  prOut,
  readFullStatus,
  readKeys,
  readReservation,
} from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLANK, BLOCK, content, withSession } from './lab.js'

const target = iqn('kept')
const config = { targets: [{ name: 'kept', auth: 'none', luns: [{ sizeBytes: 1 << 20 }] }] }
const node = { target, initiatorName: 'iqn.2025-01.test:node', isid: Buffer.from('00023d000001', 'hex') }
const KEY = 0xa1
const WRITE_EXCLUSIVE = 1

for (const ending of ['stopped', 'killed'] as const) {
  await t.test(`with APTPL the reservation holds when the server was ${ending} [SPC-4 §5.13.5]`, async t => {
    const dataDir = t.testdir()
    await withServer(t, { config, dataDir }, async server => {
      await withSession(server, node, async holder => {
        const register = { serviceActionKey: KEY, aptpl: true, allTgPt: true }
        t.equal((await persistentReserveOut(holder, prOut.register, register)).status, status.good)
        const reserve = { key: KEY, type: WRITE_EXCLUSIVE }
        t.equal((await persistentReserveOut(holder, prOut.reserve, reserve)).status, status.good)
        t.equal((await persistentReserveIn(holder, 2)).data[3], 0xb1, 'PTPL_A')
        if (ending === 'killed') await server.kill()
      })
    })
    await withServer(t, { config, dataDir }, async server => {
      await withSession(server, { target }, async other => {
        const write = await other.executeWrite(cdb.write10(0, 1), content(BLOCK, 1))
        t.equal(write.status, status.reservationConflict, 'with the first command')
        t.same(await readReservation(other), { key: KEY, scope: 0, type: WRITE_EXCLUSIVE })
        t.same(await readKeys(other), { generation: 0, keys: [KEY] })
        const port = 'iqn.2025-01.test:node,i,0x00023d000001'
        t.same(await readFullStatus(other), [
          { key: KEY, holder: true, allTgPt: true, type: WRITE_EXCLUSIVE, relativeTargetPort: 0, port },
        ])
        await withSession(server, node, async holder => {
          t.equal((await holder.executeWrite(cdb.write10(0, 1), content(BLOCK, 1))).status, status.good)
          const forget = { key: KEY, serviceActionKey: KEY, aptpl: false }
          t.equal((await persistentReserveOut(holder, prOut.register, forget)).status, status.good)
        })
        t.same((await readKeys(other)).keys, [KEY])
      })
    })
    await withServer(t, { config, dataDir }, async server => {
      await withSession(server, { target }, async other => {
        t.same(await readKeys(other), { generation: 0, keys: [] }, 'and nothing is left once APTPL is zero')
        t.equal((await other.executeWrite(cdb.write10(0, 1), content(BLOCK, 2))).status, status.good)
      })
    })
  })
}

await t.test(
  'a disk that ends with its session cannot keep anything, and says so [SPC-4 §6.15.4, §6.16.3]',
  async t => {
    await withServer(t, {}, async server => {
      await withSession(server, { target: BLANK }, async initiator => {
        t.equal((await persistentReserveIn(initiator, 2)).data[2]! & 1, 0, 'PTPL_C')
        const keep = { serviceActionKey: KEY, aptpl: true }
        t.equal((await persistentReserveOut(initiator, prOut.register, keep)).sense, '5/26/00')
        t.equal((await persistentReserveOut(initiator, prOut.register, { serviceActionKey: KEY })).status, status.good)
      })
    })
  },
)
