// EXTENDED COPY on the wire [SPC-4 §5.17, §6.5]: what it copies, what it may not reach, how it fails, and how it is stopped.

import { TaskManagementFunction as Fn, TaskManagementStatus as Status } from '@scsipub/iscsi'
import { MAX_CONCURRENT_COPIES } from '@scsipub/scsi'
import {
  type CommandResult,
  type CopySegment,
  cdb,
  copyCdb,
  copyList,
  type Initiator,
  naaDesignation,
} from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLOCK, content, withSession } from './lab.js'

const SHARED = iqn('shared')
const OTHER = iqn('other')
const SIZES = iqn('sizes')
const MIB = 1 << 20
const QUOTA_BYTES = 64 << 10
const none = 'none'
const config = {
  free: { quotaBytes: QUOTA_BYTES, blankBytes: 8 * MIB },
  targets: [
    { name: 'shared', auth: none, luns: [{ sizeBytes: 64 * MIB }, { sizeBytes: 64 * MIB }] },
    { name: 'other', auth: none, luns: [{ sizeBytes: MIB }] },
    {
      name: 'sizes',
      auth: none,
      luns: [{ sizeBytes: MIB }, { sizeBytes: MIB, blockBytes: 4096 }, { sizeBytes: MIB, readOnly: true }],
    },
  ],
}

/** How the session's LUN is named in a copy. */
async function unitOf(initiator: Initiator, lun = 0): Promise<Buffer> {
  const { data } = await initiator.executeRead(cdb.vitalProductData(0x83), 1024, lun)
  return naaDesignation(data.subarray(4))
}

function begin(initiator: Initiator, list: Buffer): number {
  return initiator.beginWrite(copyCdb.extendedCopy(list.length), list)
}

async function copy(initiator: Initiator, ...list: Parameters<typeof copyList>): Promise<CommandResult> {
  const bytes = copyList(...list)
  return initiator.collect(begin(initiator, bytes), bytes)
}

/** As much copying as one command may ask for: it takes long enough to be met under way. */
const long: CopySegment[] = Array.from({ length: 64 }, () => ({
  source: 0,
  destination: 1,
  blocks: 0xffff,
  sourceLba: 0,
  destinationLba: 0,
}))

/** Segment, field pointer, INFORMATION, and the sense of the unit that failed, of fixed format sense data. */
function particulars({ senseData }: CommandResult) {
  const sense = senseData!
  const at = sense[8] || sense[9] || 0
  return {
    segment: sense.readUInt16BE(10),
    pointer: sense.toString('hex', 15, 18),
    information: (sense[0]! & 0x80) === 0 ? undefined : sense.readUInt32BE(3),
    unit: sense[8] ? 'source' : sense[9] ? 'destination' : undefined,
    status: at === 0 ? undefined : sense[at],
    forwarded: at === 0 ? undefined : [sense[at + 3]! & 0xf, sense[at + 13], sense[at + 14]],
  }
}

await withServer(t, { config, images: { photo: content(MIB, 42) } }, async server => {
  await t.test(
    'segments are copied between the LUNs of a session, and the status tells so [SPC-4 §6.5, §6.23]',
    async t => {
      await withSession(server, { target: SHARED }, async initiator => {
        const data = content(MIB, 1)
        await initiator.write(1000, data)
        const units = [await unitOf(initiator, 0), await unitOf(initiator, 1)]
        const before = await initiator.executeRead(copyCdb.copyStatus(9), 255)
        t.equal(before.sense, '5/24/00', 'nothing is known of a list that never was')
        const segments = [
          { source: 0, destination: 1, blocks: 2000, sourceLba: 1000, destinationLba: 7 },
          { source: 0, destination: 1, blocks: 48, sourceLba: 3000, destinationLba: 2007 },
          { source: 0, destination: 1, blocks: 0, sourceLba: 0, destinationLba: 0 },
        ]
        const result = await copy(initiator, units, segments, 9)
        t.match(result, { status: 0, overflow: 0, underflow: 0 })
        t.same(await initiator.read(7, 2048, 1), data)
        const status = await initiator.executeRead(copyCdb.copyStatus(9), 255)
        t.equal(status.data.toString('hex'), '00000008' + '01' + '0003' + '00' + '00100000')
        const details = await initiator.executeRead(copyCdb.failureDetails(9), 255)
        t.equal(details.data.toString('hex'), '00000000')
        const anonymous = [{ source: 0, destination: 0xffff, blocks: 8, sourceLba: 7, destinationLba: 5000 }]
        t.equal((await copy(initiator, [units[1]!], anonymous)).status, 0, 'FFFFh is the unit that was addressed')
        t.same(await initiator.read(5000, 8), data.subarray(0, 8 * BLOCK))
      })
    },
  )

  await t.test('a unit over itself: the destination holds what the source held [SPC-4 §6.4.6.4]', async t => {
    await withSession(server, { target: SHARED }, async initiator => {
      const unit = await unitOf(initiator)
      const blocks = (2 * MIB) / BLOCK
      for (const shift of [-1500, -1, 0, 1, 700, 1500]) {
        const data = content(blocks * BLOCK, 10 + shift)
        await initiator.write(10_000, data)
        const segment = { blocks, sourceLba: 10_000, destinationLba: 10_000 + shift }
        t.equal((await copy(initiator, [unit], [segment])).status, 0)
        t.ok((await initiator.read(10_000 + shift, blocks)).equals(data), `shifted by ${shift} blocks`)
      }
    })
  })

  await t.test(
    'a unit that the session does not have is not reached: A/0D/02 [SPC-4 §5.17.7.3, CVE-2020-28374]',
    async t => {
      await withSession(server, { target: OTHER }, async other => {
        const secret = content(8 * BLOCK, 99)
        await other.write(0, secret)
        const foreign = await unitOf(other)
        await withSession(server, { target: SHARED }, async initiator => {
          await initiator.write(0, content(8 * BLOCK, 3))
          const own = await unitOf(initiator)
          const segment = { blocks: 8, sourceLba: 0, destinationLba: 0 }
          const read = await copy(initiator, [foreign, own], [{ ...segment, source: 0, destination: 1 }], 1)
          t.equal(read.sense, 'a/0d/02')
          t.match(particulars(read), { segment: 0, pointer: '800014' })
          const write = await copy(initiator, [own, foreign], [{ ...segment, source: 0, destination: 1 }], 1)
          t.equal(write.sense, 'a/0d/02')
          t.same(await initiator.read(0, 8), content(8 * BLOCK, 3))
        })
        t.same(await other.read(0, 8), secret)
      })
      await withSession(server, {}, async first => {
        await withSession(server, {}, async second => {
          await first.write(0, content(BLOCK, 5))
          const result = await copy(second, [await unitOf(first)], [{ blocks: 1, sourceLba: 0, destinationLba: 9 }])
          t.equal(result.sense, 'a/0d/02', 'private disks of one target are strangers to each other')
          t.same(await second.read(9, 1), Buffer.alloc(BLOCK))
        })
      })
    },
  )

  await t.test(
    'units and blocks that are not there: A/08/04, A/00/00, with segment and field [SPC-4 §5.17.7.3]',
    async t => {
      await withSession(server, { target: OTHER }, async initiator => {
        const unit = await unitOf(initiator)
        const good = { blocks: 1, sourceLba: 0, destinationLba: 100 }
        const end = MIB / BLOCK
        const cases = [
          [{ ...good, destination: 1 }, 'a/08/04', 'a00006'],
          [{ ...good, source: 7 }, 'a/08/04', 'a00004'],
          [{ ...good, sourceLba: end }, 'a/00/00', 'a0000c'],
          [{ ...good, blocks: 2, destinationLba: end - 1 }, 'a/00/00', 'a00014'],
          [{ ...good, destinationLba: 2 ** 60 }, 'a/00/00', 'a00014'],
        ] as const
        await initiator.write(0, content(BLOCK, 1))
        for (const [index, [bad, sense, pointer]] of cases.entries()) {
          await initiator.write(100, content(BLOCK, index + 2))
          const result = await copy(initiator, [unit], [{ ...good, destinationLba: 200 }, bad, good], 5)
          t.equal(result.sense, sense)
          t.match(particulars(result), { segment: 1, pointer, information: undefined, unit: undefined })
          const { data } = await initiator.executeRead(copyCdb.failureDetails(5), 255)
          t.equal(data.readUInt32BE(0), data.length - 4)
          t.equal(data[56], 0x02)
          t.same(data.subarray(60), result.senseData, 'the failure can be asked for again')
          const status = await initiator.executeRead(copyCdb.copyStatus(5), 255)
          t.equal(status.data.toString('hex', 4), '02' + '0001' + '00' + '00000200')
          t.same(await initiator.read(100, 1), content(BLOCK, index + 2), 'what comes behind it is not done')
        }
      })
    },
  )

  await t.test(
    'other sizes of blocks: what comes out even is copied, the rest is A/26/0A [SPC-4 §6.4.6.4]',
    async t => {
      await withSession(server, { target: SIZES }, async initiator => {
        const units = [await unitOf(initiator, 0), await unitOf(initiator, 1)]
        const data = content(16 * BLOCK, 7)
        await initiator.write(8, data)
        const there = { source: 0, destination: 1, blocks: 16, sourceLba: 8, destinationLba: 5 }
        t.equal((await copy(initiator, units, [there])).status, 0)
        const back = {
          source: 1,
          destination: 0,
          blocks: 16,
          countsDestination: true,
          sourceLba: 5,
          destinationLba: 100,
        }
        t.equal((await copy(initiator, units, [back])).status, 0)
        t.same(await initiator.read(100, 16), data)
        const uneven = await copy(initiator, units, [{ ...there, blocks: 9 }])
        t.equal(uneven.sense, 'a/26/0a')
        t.match(particulars(uneven), { segment: 0, pointer: 'a0000a' })
      })
    },
  )

  await t.test('what a unit refuses comes along: 7/27/00, 7/27/07 [SPC-4 §5.17.7.3]', async t => {
    await withSession(server, { target: SIZES }, async initiator => {
      const units = [await unitOf(initiator, 0), await unitOf(initiator, 2)]
      const result = await copy(initiator, units, [{ destination: 1, blocks: 1, sourceLba: 0, destinationLba: 0 }])
      t.equal(result.sense, 'a/0d/01')
      t.match(particulars(result), { segment: 0, unit: 'destination', status: 0x02, forwarded: [7, 0x27, 0x00] })
    })
    await withSession(server, { target: iqn('photo') }, async initiator => {
      const unit = await unitOf(initiator)
      const quota = QUOTA_BYTES / BLOCK
      const within = { blocks: quota / 2, sourceLba: 0, destinationLba: 512 }
      const beyond = { blocks: quota, sourceLba: 0, destinationLba: 1024 }
      const result = await copy(initiator, [unit], [within, beyond], 3)
      t.equal(result.sense, 'a/0d/01')
      t.match(particulars(result), {
        segment: 1,
        unit: 'destination',
        forwarded: [7, 0x27, 0x07],
        information: undefined,
      })
      t.same(await initiator.read(512, quota / 2), await initiator.read(0, quota / 2))
      t.same(
        await initiator.read(1024, 8),
        content(MIB, 42).subarray(1024 * BLOCK, 1032 * BLOCK),
        'nothing was written',
      )
    })
  })

  await t.test('pings are answered during a copy; its list identifier is taken: 5/00/16 [SPC-4 §6.5.3]', async t => {
    await withSession(server, { target: SHARED }, async initiator => {
      const units = [await unitOf(initiator, 0), await unitOf(initiator, 1)]
      // Sent together, so that all the others find the first one under way.
      const { tag, told, details, again, pinged } = initiator.wire.together(() => ({
        tag: begin(initiator, copyList(units, long, 77)),
        told: initiator.executeRead(copyCdb.copyStatus(77), 255),
        details: initiator.executeRead(copyCdb.failureDetails(77), 255),
        again: copy(initiator, units, [{ blocks: 1, sourceLba: 0, destinationLba: 0 }], 77),
        pinged: initiator.ping(),
      }))
      await pinged
      t.equal((await told).data[4], 0x00, 'in progress')
      t.equal((await details).sense, '5/24/00', 'not failed yet')
      t.equal((await again).sense, '5/00/16')
      t.equal(await initiator.manageTask(Fn.abortTask, { referencedTaskTag: tag }), Status.functionComplete)
    })
  })

  await t.test('more copies at a time than the operating parameters allow: BUSY', async t => {
    await withSession(server, { target: SHARED }, async initiator => {
      const parameters = await initiator.executeRead(copyCdb.operatingParameters(), 255)
      const most = parameters.data.readUInt16BE(34)
      const units = [await unitOf(initiator, 0), await unitOf(initiator, 1)]
      const oneMore = initiator.wire.together(() => {
        for (let index = 0; index < most; index++) begin(initiator, copyList(units, long))
        return copy(initiator, units, long)
      })
      t.equal((await oneMore).status, 0x08)
      t.equal(await initiator.manageTask(Fn.abortTaskSet), Status.functionComplete)
      t.equal((await copy(initiator, units, [])).status, 0)
    })
  })

  await t.test(
    'ABORT TASK: the copy has stopped when it is answered, and is never answered itself [7143 §11.5.1]',
    async t => {
      await withSession(server, { target: SHARED }, async initiator => {
        const units = [await unitOf(initiator, 0), await unitOf(initiator, 1)]
        const aborted = initiator.wire.together(() => {
          const tag = begin(initiator, copyList(units, long, 4))
          return initiator.manageTask(Fn.abortTask, { referencedTaskTag: tag })
        })
        t.equal(await aborted, Status.functionComplete)
        const status = await initiator.executeRead(copyCdb.copyStatus(4), 255)
        t.equal(status.data[4], 0x02)
        const done = status.data.toString('hex', 5)
        t.ok(status.data.readUInt16BE(5) < long.length, 'it was under way')
        const mark = content(0xffff * BLOCK, 8).subarray(0, 4 * MIB)
        await initiator.write(0, mark, 1)
        for (let round = 0; round < 5; round++) await initiator.ping()
        t.same(await initiator.read(0, mark.length / BLOCK, 1), mark)
        t.equal(
          (await initiator.executeRead(copyCdb.copyStatus(4), 255)).data.toString('hex', 5),
          done,
          'nothing was done since',
        )
      })
    },
  )

  await t.test(
    'LOGICAL UNIT RESET of a unit that is copied to, by another session: A/0D/01 for the copy [SAM-5 §6.3.3]',
    async t => {
      await withSession(server, { target: SHARED }, async initiator => {
        await withSession(server, { target: SHARED }, async other => {
          const units = [await unitOf(initiator, 0), await unitOf(initiator, 1)]
          // As many as there may be share the thread, so that they take half a minute.
          const lists = Array.from({ length: MAX_CONCURRENT_COPIES }, (_, index) => index + 4)
          const tags = lists.map(list => begin(initiator, copyList(units, long, list)))
          await initiator.ping() // they have begun
          t.equal(await other.manageTask(Fn.logicalUnitReset, { lun: 1 }), Status.functionComplete)
          for (const tag of tags) t.equal((await initiator.collect(tag)).sense, 'a/0d/01')
          await initiator.execute(cdb.testUnitReady(), 1)
          for (const list of lists) begin(initiator, copyList(units, long, list + lists.length))
          await initiator.ping()
          t.equal(await other.manageTask(Fn.logicalUnitReset, { lun: 0 }), Status.functionComplete, 'the unit itself')
          t.equal((await initiator.executeRead(cdb.testUnitReady(), 0)).sense, '6/29/03')
          t.equal(
            (await initiator.executeRead(copyCdb.copyStatus(4), 255)).sense,
            '5/24/00',
            'ended copies are forgotten',
          )
        })
      })
    },
  )
})
