// CRC32C over headers and data, each alone and both, and what a wrong one leads to [7143 §7.7, §7.8, §11.2.3, §13.1].

import { RejectReason } from '@scsipub/iscsi'
import { cdb, Initiator } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLANK, BLOCK, content, portal, withSession } from './lab.js'

const BOTH = { HeaderDigest: 'CRC32C', DataDigest: 'CRC32C' }
const TARGET = iqn('shared')
const config = { targets: [{ name: 'shared', auth: 'none', luns: [{ sizeBytes: 1 << 20 }] }] }

await withServer(t, { config }, async server => {
  for (const keys of [BOTH, { HeaderDigest: 'CRC32C' }, { DataDigest: 'CRC32C' }]) {
    await t.test(`everything is as without digests: ${Object.keys(keys).join(', ')} [7143 §13.1]`, async t => {
      const small = { ...keys, InitialR2T: 'Yes', MaxBurstLength: '4096', MaxRecvDataSegmentLength: '1000' }
      for (const all of [keys, small]) {
        await withSession(server, { keys: all }, async initiator => {
          t.equal(initiator.agreed.headerDigest, 'HeaderDigest' in keys)
          t.equal(initiator.agreed.dataDigest, 'DataDigest' in keys)
          const data = content(40 * BLOCK, 4)
          await initiator.write(3, data)
          t.same(await initiator.read(3, 40), data)
          for (const length of [0, 1, 2, 3, 4, 5]) {
            const ping = content(length, length)
            t.same((await initiator.ping(ping)).data, ping, 'padding is in the digest [7143 §11.2.3]')
          }
          t.equal((await initiator.execute(cdb.read10(0xfffffff0, 1))).sense, '5/21/00')
        })
      }
    })
  }

  await t.test('a wrong header digest ends the connection without a word [7143 §7.7]', async t => {
    for (const at of [0, 20, 47, 48, 51]) {
      const initiator = await Initiator.login(portal(server), { target: BLANK, keys: BOTH })
      initiator.wire.corruptNext = bytes => flip(bytes, at)
      initiator.sendCommand({ cdb: cdb.testUnitReady() })
      await initiator.wire.closed
      t.same(initiator.wire.inbox.unread, [], `byte ${at}`)
    }
  })

  await t.test(
    'a wrong data digest is rejected with reason 0x02, and the session ends [7143 §7.8, §7.1.5]',
    async t => {
      for (const at of [52, 52 + 100, 52 + BLOCK, 52 + BLOCK + 3]) {
        const initiator = await Initiator.login(portal(server), { target: TARGET, keys: BOTH })
        initiator.wire.corruptNext = bytes => flip(bytes, at)
        initiator.beginWrite(cdb.write10(0, 1), content(BLOCK, 1))
        const { reason, rejected } = await initiator.takeReject()
        t.equal(reason, RejectReason.dataDigestError, `byte ${at}`)
        t.equal(rejected.readUInt8(0) & 0x3f, 0x01)
        await initiator.wire.closed
      }
      await withSession(server, { target: TARGET }, async initiator => {
        t.same(await initiator.read(0, 1), Buffer.alloc(BLOCK), 'nothing of it was written')
      })
    },
  )

  await t.test('a wrong data digest of a Data-Out is no less the end [7143 §7.8]', async t => {
    const keys = { ...BOTH, InitialR2T: 'Yes', ImmediateData: 'No' }
    const initiator = await Initiator.login(portal(server), { target: TARGET, keys })
    const data = content(BLOCK, 1)
    const tag = initiator.beginWrite(cdb.write10(0, 1), data)
    initiator.wire.corruptNext = bytes => flip(bytes, 60)
    initiator.collect(tag, data).catch(() => {}) // answers the R2T; the command itself is never answered
    t.equal((await initiator.takeReject()).reason, RejectReason.dataDigestError)
    await initiator.wire.closed
    await withSession(server, { target: TARGET }, async next => {
      t.same(await next.read(0, 1), Buffer.alloc(BLOCK))
    })
  })
})

function flip(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes)
  changed[at] = (changed[at] ?? 0) ^ 0x01
  return changed
}
