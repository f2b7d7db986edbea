// Giving blocks back, on the wire: what is unmapped reads as zeros, is told apart by GET LBA STATUS and is taken off the quota, in a session, over
// an image, and after a crash of the server [SBC-3 §4.7].

import { cdb, Initiator, provisioningCdb, unmapList } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLOCK, content, portal, withSession } from './lab.js'

const QUOTA_BLOCKS = 128
const IMAGE = content(1 << 20, 42)
const SHARED = iqn('shared')
const config = {
  free: { quotaBytes: QUOTA_BLOCKS * BLOCK },
  targets: [
    {
      name: 'shared',
      auth: 'none',
      luns: [{ sizeBytes: 8 << 20 }, { image: 'photo' }, { sizeBytes: 1 << 20, readOnly: true }],
    },
  ],
}
const zeros = (blocks: number) => Buffer.alloc(blocks * BLOCK)

async function good(result: Promise<{ status: number; sense: string | undefined }>): Promise<void> {
  const { status, sense } = await result
  if (status !== 0) throw new Error(`the command ended with ${sense}`)
}

const unmap = (disk: Initiator, ranges: [number, number][], lun = 0, anchor = false) => {
  const list = unmapList(ranges)
  return disk.executeWrite(provisioningCdb.unmap(list.length, anchor), list, { lun })
}

/** GET LBA STATUS, as `lba blocks status`. */
async function states(disk: Initiator, lba: number, lun = 0, bytes = 1024): Promise<string[]> {
  const { data, sense } = await disk.executeRead(provisioningCdb.getLbaStatus(lba, bytes), bytes, lun)
  if (sense !== undefined) throw new Error(sense)
  const found: string[] = []
  for (let at = 8; at + 16 <= data.length; at += 16)
    found.push(`${data.readBigUInt64BE(at)} ${data.readUInt32BE(at + 8)} ${data[at + 12]}`)
  return found
}

/** Sets of blocks left and used, by log page 0Ch, and blocks in a set, by page B2h. */
async function resources(disk: Initiator): Promise<{ left: number; used: number }> {
  const { data } = await disk.executeRead(provisioningCdb.logSense(0x0c), 255)
  const page = await disk.executeRead(cdb.vitalProductData(0xb2), 255)
  const set = 2 ** (page.data[4] ?? 0)
  return { left: data.readUInt32BE(8) * set, used: data.readUInt32BE(20) * set }
}

await withServer(t, { config, images: { photo: IMAGE } }, async server => {
  await t.test('a blank disk: written, unmapped in part, and told so [SBC-3 §5.6, §5.28]', async t => {
    await withSession(server, {}, async disk => {
      t.same(await states(disk, 0), ['0 131072 1'], 'nothing is mapped at first')
      await good(unmap(disk, [[0, 100]]))
      await disk.write(8, content(16 * BLOCK, 1))
      await good(
        unmap(disk, [
          [12, 4],
          [14, 1],
          [18, 0],
        ]),
      )
      t.same(await states(disk, 0), ['0 8 1', '8 4 0', '12 4 1', '16 8 0', '24 131048 1'])
      t.same(await states(disk, 13, 0, 24), ['13 3 1'], 'one descriptor when there is room for one')
      const expected = content(16 * BLOCK, 1).fill(0, 4 * BLOCK, 8 * BLOCK)
      t.same(await disk.read(8, 16), expected)
      await good(unmap(disk, [[20, 2]], 0, true))
      t.same(await states(disk, 16, 0, 56), ['16 4 0', '20 2 2', '22 2 0'], 'anchored')
    })
  })

  await t.test('what is unmapped over an image reads as zeros, not as the image [SBC-3 §4.7.4.4]', async t => {
    await withSession(server, { target: iqn('photo') }, async disk => {
      await good(unmap(disk, [[3, 2]]))
      t.same(await disk.read(0, 8), Buffer.from(IMAGE.subarray(0, 8 * BLOCK)).fill(0, 3 * BLOCK, 5 * BLOCK))
      t.same(await states(disk, 0, 0, 56), ['0 3 0', '3 2 1', '5 2043 0'])
    })
  })

  await t.test('the quota is given back exactly, and the log page counts it [SBC-3 §4.7.3.6, §6.4.4]', async t => {
    await withSession(server, {}, async disk => {
      t.same(await resources(disk), { left: QUOTA_BLOCKS, used: 0 })
      await disk.write(0, content(QUOTA_BLOCKS * BLOCK, 1))
      t.same(await resources(disk), { left: 0, used: QUOTA_BLOCKS })
      t.match(await disk.executeWrite(cdb.write10(1000, 1), zeros(1)), { status: 2, sense: '7/27/07' })
      await good(
        unmap(disk, [
          [0, 64],
          [32, 64],
        ]),
      )
      t.same(await resources(disk), { left: 96, used: 32 })
      await disk.write(1000, content(96 * BLOCK, 2))
      t.match(await disk.executeWrite(cdb.write10(0, 1), zeros(1)), { status: 2, sense: '7/27/07' }, 'not one more')
      t.same(await disk.read(0, 96), zeros(96), 'a refused write has changed nothing')
      t.match(await unmap(disk, [[0, 1]], 0, true), { status: 2, sense: '7/27/07' }, 'nothing to anchor with')
      await good(unmap(disk, [[1000, 8]]))
      await good(unmap(disk, [[0, 8]], 0, true))
      await disk.write(0, content(8 * BLOCK, 3))
      t.match(
        await disk.executeWrite(cdb.write10(8, 1), zeros(1)),
        { sense: '7/27/07' },
        'what was anchored could be written',
      )
    })
  })

  await t.test(
    'WRITE SAME: a block over a range; zeros with UNMAP are deallocated, other data is not [SBC-3 §5.42, §4.7.3.4.3]',
    async t => {
      await withSession(server, {}, async disk => {
        const block = content(BLOCK, 7)
        const repeated = (count: number) => Buffer.concat(Array<Buffer>(count).fill(block))
        await good(disk.executeWrite(provisioningCdb.writeSame16(10, 20), block))
        t.same(await disk.read(8, 24), Buffer.concat([zeros(2), repeated(20), zeros(2)]))
        await good(disk.executeWrite(provisioningCdb.writeSame10(12, 2, { unmap: true }), zeros(1)))
        await good(disk.executeWrite(provisioningCdb.writeSame10(14, 2), zeros(1)))
        await good(disk.execute(provisioningCdb.writeSame16(16, 2, { unmap: true, ndob: true })))
        await good(disk.executeWrite(provisioningCdb.writeSame16(18, 2, { unmap: true, anchor: true }), zeros(1)))
        await good(disk.executeWrite(provisioningCdb.writeSame16(20, 2, { unmap: true }), block))
        t.same(await disk.read(10, 20), Buffer.concat([repeated(2), zeros(8), repeated(10)]))
        t.same((await states(disk, 10)).slice(0, 6), ['10 2 0', '12 2 1', '14 2 0', '16 2 1', '18 2 2', '20 10 0'])
      })
    },
  )

  await t.test('WRITE SAME takes one block: less or more data is refused [SBC-3 §5.42.1]', async t => {
    await withSession(server, {}, async disk => {
      for (const bytes of [BLOCK / 2, 2 * BLOCK]) {
        const result = await disk.executeWrite(provisioningCdb.writeSame16(0, 8, { unmap: true }), content(bytes, 1))
        t.equal(result.sense, '5/24/00')
      }
      t.same(await disk.read(0, 8), zeros(8))
    })
  })

  await t.test(
    'nothing is unmapped when one range is wrong; a read-only disk refuses all of it [SBC-3 §5.28.2, §4.18]',
    async t => {
      await withSession(server, { target: SHARED }, async disk => {
        const data = content(8 * BLOCK, 9)
        await disk.write(0, data)
        t.equal(
          (
            await unmap(disk, [
              [0, 8],
              [16384, 1],
            ])
          ).sense,
          '5/21/00',
        )
        t.same(await disk.read(0, 8), data)
        for (const command of [
          unmap(disk, [[0, 8]], 2),
          disk.executeWrite(provisioningCdb.writeSame16(0, 1), zeros(1), { lun: 2 }),
          disk.execute(provisioningCdb.sanitize(2), 2),
        ])
          t.equal((await command).sense, '7/27/00')
      })
    },
  )
})

t.test('what was unmapped is so after a crash of the server, over a base and not, and the quota agrees', async t => {
  const dataDir = t.testdir()
  const data = content(64 * BLOCK, 5)
  await withServer(t, { config, images: { photo: IMAGE }, dataDir }, async server => {
    const disk = await Initiator.login(portal(server), { target: SHARED })
    for (const lun of [0, 1]) {
      await disk.write(0, data, lun)
      await good(
        unmap(
          disk,
          [
            [8, 8],
            [100, 4],
          ],
          lun,
        ),
      )
      await good(unmap(disk, [[32, 8]], lun, true))
      await disk.write(12, data.subarray(0, BLOCK), lun)
    }
    await server.kill()
  })
  await withServer(t, { config, dataDir }, async server => {
    await withSession(server, { target: SHARED }, async disk => {
      const expected = Buffer.from(data)
        .fill(0, 8 * BLOCK, 16 * BLOCK)
        .fill(0, 32 * BLOCK, 40 * BLOCK)
      data.copy(expected, 12 * BLOCK, 0, BLOCK)
      for (const lun of [0, 1]) t.same(await disk.read(0, 64, lun), expected)
      t.same(await disk.read(100, 4, 1), zeros(4), 'zeros, not the image')
      const head = ['0 8 0', '8 4 1', '12 1 0', '13 3 1', '16 16 0', '32 8 2']
      t.same((await states(disk, 0)).slice(0, 8), [...head, '40 24 0', '64 16320 1'])
      t.same((await states(disk, 0, 1)).slice(0, 8), [...head, '40 60 0', '100 4 1'])
      t.equal((await resources(disk)).used, 64, '57 blocks, in whole sets of 8')
    })
  })
})
