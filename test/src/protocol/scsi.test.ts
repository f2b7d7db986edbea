// SCSI as it arrives at an initiator: pages, errors and their sense, LUNs, the quota [SPC-4, SBC-3].

import { cdb, type Initiator } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLANK_BLOCKS, BLOCK, content, withSession } from './lab.js'

const SHARED = iqn('shared')
const IMAGE_BYTES = 1 << 20
const QUOTA_BYTES = 64 << 10
const IMAGE = content(IMAGE_BYTES, 42)
const config = {
  free: { quotaBytes: QUOTA_BYTES },
  targets: [{ name: 'shared', auth: 'none', luns: [{ sizeBytes: 1 << 20 }] }],
}
const images = { photo: IMAGE }

/** The page without its header. */
async function page(initiator: Initiator, code: number): Promise<Buffer> {
  const { data, status } = await initiator.executeRead(cdb.vitalProductData(code), 1024)
  if (status !== 0 || data[1] !== code) throw new Error(`VPD page ${code.toString(16)} is not there`)
  if (data.readUInt16BE(2) !== data.length - 4) throw new Error('PAGE LENGTH is not the length')
  return data.subarray(4)
}

await withServer(t, { config, images }, async server => {
  await t.test('every VPD page of the list is there, and the list is sorted [SPC-4 §7.8.13]', async t => {
    await withSession(server, {}, async initiator => {
      const codes = [...(await page(initiator, 0x00))]
      t.same(
        codes,
        [...codes].sort((a, b) => a - b),
      )
      for (const code of [0x00, 0x80, 0x83, 0xb0]) t.ok(codes.includes(code), `page ${code.toString(16)}`)
      for (const code of codes) t.ok(Buffer.isBuffer(await page(initiator, code)))
      const { sense } = await initiator.executeRead(cdb.vitalProductData(0x7e), 255)
      t.equal(sense, '5/24/00', 'and no other')
    })
  })

  await t.test(
    'a shared disk has the same name and serial number in every session [SPC-4 §7.8.6, §7.8.15]',
    async t => {
      const seen: string[] = []
      for (let round = 0; round < 4; round++) {
        await withSession(server, { target: SHARED }, async initiator => {
          seen.push(Buffer.concat([await page(initiator, 0x80), await page(initiator, 0x83)]).toString('hex'))
        })
      }
      t.equal(new Set(seen).size, 1)
    },
  )

  await t.test('private disks have different serial numbers [SPC-4 §7.8.15]', async t => {
    const serials = new Set<string>()
    for (let round = 0; round < 4; round++) {
      await withSession(server, {}, async initiator => void serials.add((await page(initiator, 0x80)).toString('hex')))
    }
    t.equal(serials.size, 4)
  })

  await t.test('the capacity is that of the disk [SBC-3 §5.12, §5.13]', async t => {
    await withSession(server, {}, async initiator => {
      const short = await initiator.executeRead(cdb.readCapacity10(), 8)
      t.equal(short.data.readUInt32BE(0), BLANK_BLOCKS - 1)
      t.equal(short.data.readUInt32BE(4), BLOCK)
      const long = await initiator.executeRead(cdb.readCapacity16(), 32)
      t.equal(long.data.readBigUInt64BE(0), BigInt(BLANK_BLOCKS - 1))
    })
  })

  await t.test('the last block is there, the one behind it is not: 5/21/00 [SBC-3 §4.5]', async t => {
    await withSession(server, {}, async initiator => {
      t.equal((await initiator.read(BLANK_BLOCKS - 1, 1)).length, BLOCK)
      await initiator.write(BLANK_BLOCKS - 1, content(BLOCK, 1))
      t.same(await initiator.read(BLANK_BLOCKS - 1, 1), content(BLOCK, 1))
      for (const [lba, blocks] of [
        [BLANK_BLOCKS, 1],
        [BLANK_BLOCKS - 1, 2],
        [0xffffffff, 1],
      ] as const) {
        const data = content(blocks * BLOCK, 2)
        t.equal((await initiator.executeRead(cdb.read10(lba, blocks), data.length)).sense, '5/21/00')
        t.equal((await initiator.executeWrite(cdb.write10(lba, blocks), data)).sense, '5/21/00')
      }
      const far = 0xffff_ffff_ffff_ffffn
      t.equal((await initiator.executeRead(cdb.read16(far, 1), BLOCK)).sense, '5/21/00')
      t.equal((await initiator.executeWrite(cdb.write16(far, 1), content(BLOCK, 2))).sense, '5/21/00')
      t.same(await initiator.read(BLANK_BLOCKS - 1, 1), content(BLOCK, 1), 'nothing was written in part')
    })
  })

  await t.test('an operation code that is not there: 5/20/00 [SPC-4 §4.3.1]', async t => {
    await withSession(server, {}, async initiator => {
      for (const opcode of [0x02, 0x7f, 0xc0, 0xff]) {
        t.equal((await initiator.execute(Buffer.concat([Buffer.from([opcode]), Buffer.alloc(15)]))).sense, '5/20/00')
      }
    })
  })

  await t.test('a reserved bit in a CDB: 5/24/00 [SPC-4 §4.3.1]', async t => {
    await withSession(server, {}, async initiator => {
      const command = cdb.testUnitReady()
      command[3] = 1
      t.equal((await initiator.execute(command)).sense, '5/24/00')
    })
  })

  await t.test('a LUN that is not there: 5/25/00, but INQUIRY is answered [SPC-4 §6.6.1, SAM-5 §4.7]', async t => {
    await withSession(server, {}, async initiator => {
      for (const lun of [1, 255, 256, 16383]) {
        t.equal((await initiator.execute(cdb.testUnitReady(), lun)).sense, '5/25/00')
        t.equal((await initiator.executeRead(cdb.read10(0, 1), BLOCK, lun)).sense, '5/25/00')
        t.equal((await initiator.executeWrite(cdb.write10(0, 1), content(BLOCK, 1), { lun })).sense, '5/25/00')
        const inquiry = await initiator.executeRead(cdb.inquiry(), 255, lun)
        t.equal(inquiry.status, 0)
        t.equal(inquiry.data[0], 0x7f, 'peripheral qualifier 3: no such unit')
      }
    })
  })

  await t.test('REPORT LUNS lists what there is [SPC-4 §6.33]', async t => {
    await withSession(server, { target: iqn('multi') }, async initiator => {
      const { data } = await initiator.executeRead(cdb.reportLuns(), 4096)
      t.equal(data.readUInt32BE(0), 4 * 8)
      t.same(
        [0, 1, 2, 3].map(index => data.readUInt16BE(8 + index * 8)),
        [0, 1, 2, 3],
      )
      for (const lun of [0, 1, 2, 3]) {
        await initiator.write(0, content(BLOCK, lun), lun)
      }
      for (const lun of [0, 1, 2, 3]) t.same(await initiator.read(0, 1, lun), content(BLOCK, lun))
    })
  })

  await t.test('VERIFY compares: a difference is a miscompare, E/1D/00 [SBC-3 §5.33]', async t => {
    await withSession(server, {}, async initiator => {
      const data = content(4 * BLOCK, 1)
      await initiator.write(0, data)
      t.equal((await initiator.executeWrite(cdb.verify10(0, 4, true), data)).status, 0)
      const other = Buffer.from(data)
      other[1000] = (other[1000] ?? 0) ^ 1
      t.equal((await initiator.executeWrite(cdb.verify10(0, 4, true), other)).sense, 'e/1d/00')
      t.equal((await initiator.execute(cdb.verify10(0, 4))).status, 0)
    })
  })

  await t.test('FUA and SYNCHRONIZE CACHE are answered when done [SBC-3 §5.26, §5.36]', async t => {
    for (const target of [undefined, SHARED]) {
      await withSession(server, target ? { target } : {}, async initiator => {
        const data = content(BLOCK, 8)
        t.equal((await initiator.executeWrite(cdb.write10(9, 1, true), data)).status, 0)
        t.equal((await initiator.execute(cdb.synchronizeCache10())).status, 0)
        t.same(await initiator.read(9, 1), data)
      })
    }
  })

  await t.test('writes beyond the quota get 7/27/07, everything else goes on [SBC-3 §4.7.3.6]', async t => {
    const quota = QUOTA_BYTES / BLOCK
    await withSession(server, { target: iqn('photo') }, async initiator => {
      t.same(await initiator.read(0, 16), IMAGE.subarray(0, 16 * BLOCK))
      const first = content(QUOTA_BYTES, 1)
      await initiator.write(0, first)
      const beyond = await initiator.executeWrite(cdb.write10(quota, 1), content(BLOCK, 2))
      t.match(beyond, { status: 2, sense: '7/27/07' })
      t.same(
        await initiator.read(quota, 1),
        IMAGE.subarray(QUOTA_BYTES, QUOTA_BYTES + BLOCK),
        'the image shows through',
      )
      const across = await initiator.executeWrite(cdb.write10(quota - 1, 2), content(2 * BLOCK, 3))
      t.match(across, { status: 2, sense: '7/27/07' })
      t.equal((await initiator.execute(cdb.testUnitReady())).status, 0, 'no unit attention')
      const again = content(QUOTA_BYTES, 4)
      await initiator.write(0, again)
      t.same(await initiator.read(0, quota), again, 'what is there may be written again')
      t.equal((await initiator.execute(cdb.synchronizeCache10())).status, 0)
      t.same(await initiator.read(quota + 5, 8), IMAGE.subarray((quota + 5) * BLOCK, (quota + 13) * BLOCK))
    })
    await withSession(server, { target: iqn('photo') }, async initiator => {
      await initiator.write(quota, content(BLOCK, 2))
      t.same(await initiator.read(quota, 1), content(BLOCK, 2), 'another session has a quota of its own')
    })
    await withSession(server, { target: SHARED }, async initiator => {
      const data = content(4 * QUOTA_BYTES, 5)
      await initiator.write(0, data)
      t.same(await initiator.read(0, data.length / BLOCK), data, "an operator's disk has none")
    })
  })
})
