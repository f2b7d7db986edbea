// Commands that compare, or that no other command may come between, as an initiator sees them [SBC-3 §5.2, §5.5, §5.8, §5.37, SBC-4 §4.29].

import { setTimeout } from 'node:timers/promises'
import { TaskManagementFunction as Fn, r2t, TaskManagementStatus as Status } from '@scsipub/iscsi'
import { type CommandResult, cdb, type Initiator } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLOCK, content, withSession } from './lab.js'

const SHARED = iqn('shared')
const config = {
  workers: 2,
  targets: [
    { name: 'shared', auth: 'none', luns: [{ sizeBytes: 1 << 20 }, { sizeBytes: 1 << 20, readOnly: true }] },
    { name: 'large-blocks', auth: 'none', luns: [{ sizeBytes: 4 << 20, blockBytes: 4096 }] },
  ],
}

/** A 16-byte CDB: operation code, flags, LBA, and the length in its last four bytes before GROUP NUMBER. */
function cdb16(opcode: number, lba: number, length: number, flags = 0): Buffer {
  const bytes = Buffer.alloc(16)
  bytes[0] = opcode
  bytes[1] = flags
  bytes.writeBigUInt64BE(BigInt(lba), 2)
  bytes.writeUInt32BE(length, 10)
  return bytes
}
const compareAndWrite = (lba: number, blocks: number, flags = 0) => cdb16(0x89, lba, blocks, flags)
const orWrite = (lba: number, blocks: number, flags = 0) => cdb16(0x8b, lba, blocks, flags)
const writeAtomic = (lba: number, blocks: number, flags = 0) => cdb16(0x9c, lba, blocks, flags)
const writeAndVerify = (lba: number, blocks: number, flags = 0) => cdb16(0x8e, lba, blocks, flags)
const verify16 = (lba: number, blocks: number, flags = 0) => cdb16(0x8f, lba, blocks, flags)
const preFetch16 = (lba: number, blocks: number, flags = 0) => cdb16(0x90, lba, blocks, flags)
const FUA = 0x08

/** INFORMATION of fixed format sense data, when VALID is set [SPC-4 §4.5.3]. */
function information({ senseData }: CommandResult): number | undefined {
  if (!senseData || (senseData.readUInt8(0) & 0x80) === 0) return undefined
  return senseData.readUInt32BE(3)
}

const GOOD = { status: 0, overflow: 0, underflow: 0 }

await withServer(t, { config }, async server => {
  for (const keys of [{}, { InitialR2T: 'Yes', ImmediateData: 'No' }]) {
    const how = 'InitialR2T' in keys ? 'on R2T' : 'unasked'
    await t.test(`COMPARE AND WRITE of several blocks, data ${how} [SBC-3 §5.2]`, async t => {
      await withSession(server, { keys }, async initiator => {
        const [before, after] = [content(4 * BLOCK, 1), content(4 * BLOCK, 2)]
        await initiator.write(3, before)
        const swap = (old: Buffer) => initiator.executeWrite(compareAndWrite(3, 4), Buffer.concat([old, after]))
        const wrong = Buffer.from(before)
        wrong[1234]! ^= 1
        const miscompare = await swap(wrong)
        t.match(miscompare, { status: 2, sense: 'e/1d/00', overflow: 0, underflow: 0 })
        t.equal(information(miscompare), 1234, 'offset of the first byte that differs')
        t.same(await initiator.read(3, 4), before, 'nothing was written')
        t.match(await swap(before), GOOD)
        t.same(await initiator.read(3, 4), after)
      })
    })
  }

  await t.test('COMPARE AND WRITE on a disk that nobody has written to [SBC-3 §5.2]', async t => {
    await withSession(server, {}, async initiator => {
      const data = Buffer.concat([Buffer.alloc(BLOCK), content(BLOCK, 1)])
      t.match(await initiator.executeWrite(compareAndWrite(9, 1, FUA), data), GOOD)
      t.same(await initiator.read(8, 3), Buffer.concat([Buffer.alloc(BLOCK), content(BLOCK, 1), Buffer.alloc(BLOCK)]))
    })
  })

  await t.test('COMPARE AND WRITE with other data than its length says does nothing [7143 §11.4.5.1]', async t => {
    await withSession(server, {}, async initiator => {
      await initiator.write(0, Buffer.alloc(4 * BLOCK))
      for (const [blocks, sent] of [
        [2, 2],
        [2, 3],
        [1, 4],
        [1, 0.5],
        [0, 2],
      ] as const) {
        const data = Buffer.concat([Buffer.alloc(BLOCK), content(4 * BLOCK, 1)]).subarray(0, sent * BLOCK)
        t.equal((await initiator.executeWrite(compareAndWrite(0, blocks), data)).sense, '5/24/00', `${blocks}, ${sent}`)
      }
      t.equal((await initiator.execute(compareAndWrite(0, 1))).sense, '5/24/00', 'without a direction')
      t.match(await initiator.execute(compareAndWrite(0, 0)), GOOD, 'nothing, with nothing [SBC-3 §5.2]')
      t.same(await initiator.read(0, 4), Buffer.alloc(4 * BLOCK))
    })
  })

  await t.test(
    'no increment by COMPARE AND WRITE is lost between two sessions on two workers [SBC-3 §5.2]',
    async t => {
      const ROUNDS = 150
      const LBA = 64
      /** `known`: what the blocks held a moment ago. */
      const increment = async (initiator: Initiator, known?: Buffer): Promise<number> => {
        for (let tries = 1; ; tries++) {
          const old = tries === 1 && known ? known : await initiator.read(LBA, 2)
          const next = Buffer.from(old)
          next.writeUInt32LE(old.readUInt32LE(700) + 1, 700)
          const result = await initiator.executeWrite(compareAndWrite(LBA, 2), Buffer.concat([old, next]))
          if (result.status === 0) return tries
          if (result.sense !== 'e/1d/00') throw new Error(`COMPARE AND WRITE ended with ${result.sense}`)
        }
      }
      await withSession(server, { target: SHARED }, async first => {
        await withSession(server, { target: SHARED }, async second => {
          await first.write(LBA, Buffer.alloc(2 * BLOCK))
          const count = async (initiator: Initiator) => {
            // Both begin with the same, so that they meet at least once.
            let tries = await increment(initiator, Buffer.alloc(2 * BLOCK))
            for (let round = 1; round < ROUNDS; round++) tries += await increment(initiator)
            return tries
          }
          const tries = await Promise.all([count(first), count(second)])
          t.equal((await second.read(LBA, 2)).readUInt32LE(700), 2 * ROUNDS)
          t.ok(tries[0] + tries[1] > 2 * ROUNDS, 'they did meet', { tries })
          t.ok(tries[0] + tries[1] <= 4 * ROUNDS, 'each increment makes one try of the other one fail at most', {
            tries,
          })
        })
      })
    },
  )

  await t.test('ORWRITE sets bits, and loses none of two sessions [SBC-3 §5.5]', async t => {
    await withSession(server, { target: SHARED }, async first => {
      await withSession(server, { target: SHARED }, async second => {
        await first.write(0, Buffer.alloc(BLOCK))
        const set = async (initiator: Initiator, parity: number) => {
          for (let bit = parity; bit < 128; bit += 2) {
            const data = Buffer.alloc(BLOCK)
            data[100 + (bit >> 3)] = 1 << (bit & 7)
            t.match(await initiator.executeWrite(orWrite(0, 1), data), GOOD)
          }
        }
        await Promise.all([set(first, 0), set(second, 1)])
        const found = await first.read(0, 1)
        t.same(found.subarray(100, 116), Buffer.alloc(16, 0xff))
        t.ok(found.subarray(116).every(byte => byte === 0))
      })
    })
  })

  await t.test(
    'ORWRITE with less data goes as far as whole blocks go, WRITE ATOMIC does nothing [7143 §11.4.5.1]',
    async t => {
      await withSession(server, {}, async initiator => {
        const data = Buffer.alloc(2 * BLOCK, 0x0f)
        await initiator.write(0, Buffer.alloc(4 * BLOCK, 0xf0))
        t.match(await initiator.executeWrite(orWrite(0, 4), data.subarray(0, 700)), {
          status: 0,
          overflow: 4 * BLOCK - 700,
        })
        t.equal((await initiator.executeWrite(writeAtomic(2, 2), data.subarray(0, BLOCK))).sense, '5/24/00')
        const now = Buffer.alloc(4 * BLOCK, 0xf0).fill(0xff, 0, BLOCK)
        t.same(await initiator.read(0, 4), now)
        t.match(await initiator.executeWrite(writeAtomic(2, 1), data), { status: 0, underflow: BLOCK })
        t.same(await initiator.read(0, 4), now.fill(0x0f, 2 * BLOCK, 3 * BLOCK))
      })
    },
  )

  await t.test(
    'WRITE ATOMIC up to its limit, anonymous and persistent, with both block sizes [SBC-4 §5.48]',
    async t => {
      for (const [target, blockBytes] of [
        [iqn('blank'), 512],
        [SHARED, 512],
        [iqn('large-blocks'), 4096],
      ] as const) {
        await withSession(server, { target }, async initiator => {
          const page = (await initiator.executeRead(cdb.vitalProductData(0xb0), 1024)).data
          const most = page.readUInt32BE(44)
          t.equal(most, 256)
          const data = content(most * blockBytes, 5)
          t.match(await initiator.executeWrite(writeAtomic(1, most, FUA), data), GOOD)
          const back = await initiator.executeRead(cdb.read16(1, most), data.length)
          t.ok(back.data.equals(data), `${target} has it`)
          const longer = await initiator.executeWrite(writeAtomic(1, most + 1), content((most + 1) * blockBytes, 6))
          t.equal(longer.sense, '5/24/00')
        })
      }
    },
  )

  await t.test('a READ sees all of a WRITE ATOMIC or nothing of it [SBC-4 §4.29]', async t => {
    const BLOCKS = 256
    const STATES = 3
    await withSession(server, { target: SHARED }, async writer => {
      await withSession(server, { target: SHARED }, async reader => {
        await writer.write(0, Buffer.alloc(BLOCKS * BLOCK))
        const seen = new Set<number>()
        let writing = true
        const write = async () => {
          for (let fill = 1; fill <= 60 || seen.size <= STATES; fill++)
            t.match(await writer.executeWrite(writeAtomic(0, BLOCKS), Buffer.alloc(BLOCKS * BLOCK, fill & 0xff)), GOOD)
          writing = false
        }
        const read = async () => {
          while (writing) {
            const found = await reader.read(0, BLOCKS)
            seen.add(found[0]!)
            const mixed = found.findIndex(byte => byte !== found[0])
            if (mixed >= 0) t.fail(`byte ${mixed} is ${found[mixed]}, byte 0 is ${found[0]}`)
          }
        }
        await Promise.all([write(), read()])
        t.ok(seen.size > STATES, `${seen.size} states were seen`)
      })
    })
  })

  await t.test('other sessions of the disk go on while one has much to do alone [SBC-3 §5.2]', async t => {
    await withSession(server, { target: SHARED }, async busy => {
      await withSession(server, { target: SHARED }, async other => {
        const data = Buffer.alloc(64 * BLOCK, 1)
        let done = false
        let [slowest, longestRound, count] = [0, 0, 0]
        const end = performance.now() + 60_000
        const storm = async () => {
          for (let round = 0; round < 12 || (count < 3 && performance.now() < end); round++) {
            const began = performance.now()
            const tags = Array.from({ length: 8 }, () => busy.beginWrite(orWrite(128, 64), data))
            for (const tag of tags) t.equal((await busy.collect(tag, data)).status, 0)
            longestRound = Math.max(longestRound, performance.now() - began)
          }
          done = true
        }
        const ordinary = async () => {
          while (!done) {
            const began = performance.now()
            await other.write(0, content(BLOCK, count))
            await other.read(0, 1)
            slowest = Math.max(slowest, performance.now() - began)
            count++
          }
        }
        await Promise.all([storm(), ordinary()])
        t.ok(count >= 3, `${count} writes and reads beside it`)
        // Both stand still when the machine does.
        t.ok(slowest < 4_000 + 4 * longestRound, `${Math.round(slowest)} ms beside ${Math.round(longestRound)} ms`)
      })
    })
  })

  await t.test('an aborted COMPARE AND WRITE is done before the answer, or never [7143 §11.5.1]', async t => {
    await withSession(server, { target: SHARED }, async initiator => {
      await withSession(server, { target: SHARED }, async other => {
        for (let round = 1; round <= 20; round++) {
          const old = await initiator.read(5, 1)
          const data = Buffer.concat([old, content(BLOCK, round)])
          const refCmdSn = initiator.cmdSn
          const tag = initiator.beginWrite(compareAndWrite(5, 1), data)
          await initiator.manageTask(Fn.abortTask, { referencedTaskTag: tag, refCmdSn })
          const after = await other.read(5, 1)
          t.ok(after.equals(old) || after.equals(content(BLOCK, round)))
          await setTimeout(5)
          t.ok((await other.read(5, 1)).equals(after), 'nothing comes later')
        }
      })
    })
  })

  await t.test('a COMPARE AND WRITE that is aborted before its data was there does nothing [7143 §11.5.1]', async t => {
    await withSession(server, { keys: { InitialR2T: 'Yes', ImmediateData: 'No' } }, async initiator => {
      const data = Buffer.concat([Buffer.alloc(BLOCK), content(BLOCK, 3)])
      const refCmdSn = initiator.cmdSn
      const tag = initiator.beginWrite(compareAndWrite(0, 1), data)
      const { targetTransferTag } = await initiator.take(r2t, tag)
      const response = await initiator.manageTask(Fn.abortTask, { referencedTaskTag: tag, refCmdSn })
      t.equal(response, Status.functionComplete)
      initiator.dataOut({ initiatorTaskTag: tag, targetTransferTag, bufferOffset: 0, dataSn: 0, final: true }, data)
      t.same(await initiator.read(0, 1), Buffer.alloc(BLOCK))
    })
  })

  await t.test('on a read-only disk 7/27/00, beyond the end 5/21/00 [SBC-3 §4.18]', async t => {
    await withSession(server, { target: SHARED }, async initiator => {
      for (const [make, factor] of [
        [compareAndWrite, 2],
        [orWrite, 1],
        [writeAtomic, 1],
        [writeAndVerify, 1],
      ] as const) {
        const data = Buffer.alloc(factor * BLOCK)
        t.equal((await initiator.executeWrite(make(0, 1), data, { lun: 1 })).sense, '7/27/00')
        t.equal((await initiator.executeWrite(make(2048, 1), data)).sense, '5/21/00')
      }
    })
  })

  await t.test('WRITE AND VERIFY writes and compares [SBC-3 §5.37]', async t => {
    for (const target of [iqn('blank'), SHARED]) {
      await withSession(server, { target }, async initiator => {
        for (const flags of [0, 0x02]) {
          const data = content(600 * BLOCK, 7 + flags)
          t.match(await initiator.executeWrite(writeAndVerify(3, 600, flags), data), GOOD)
          t.ok((await initiator.read(3, 600)).equals(data))
        }
        t.match(await initiator.executeWrite(writeAndVerify(0, 4, 0x02), content(700, 9)), {
          status: 0,
          overflow: 4 * BLOCK - 700,
        })
        t.same(await initiator.read(0, 1), content(BLOCK, 9))
      })
    }
  })

  await t.test(
    'VERIFY compares all of the data, or one block with each, at any offered length [SBC-3 §5.29]',
    async t => {
      await withSession(server, {}, async initiator => {
        const data = content(1200 * BLOCK, 1)
        await initiator.write(0, data)
        t.match(await initiator.executeWrite(verify16(0, 1200, 0x02), data), GOOD)
        const wrong = Buffer.from(data)
        wrong[600_001]! ^= 0x80
        const miscompare = await initiator.executeWrite(verify16(0, 1200, 0x02), wrong)
        t.equal(miscompare.sense, 'e/1d/00')
        t.equal(information(miscompare), 600_001)
        t.match(await initiator.executeWrite(verify16(0, 4, 0x02), data.subarray(0, 700)), { status: 0 }, 'a part')
        await initiator.write(
          0,
          Buffer.concat([data.subarray(0, BLOCK), data.subarray(0, BLOCK), wrong.subarray(9, 9 + BLOCK)]),
        )
        t.match(await initiator.executeWrite(verify16(0, 2, 0x06), data.subarray(0, BLOCK)), GOOD)
        t.equal((await initiator.executeWrite(verify16(0, 3, 0x06), data.subarray(0, BLOCK))).sense, 'e/1d/00')
        t.equal(
          (await initiator.executeWrite(verify16(0, 2, 0x06), data.subarray(0, 100))).sense,
          '5/24/00',
          'not one block',
        )
        t.equal(
          (await initiator.executeWrite(verify16(0, 2, 0x04), data.subarray(0, BLOCK))).sense,
          '5/24/00',
          'BYTCHK 2',
        )
      })
    },
  )

  await t.test('PRE-FETCH: CONDITION MET when all of it fits, GOOD when not [SBC-3 §5.8]', async t => {
    await withSession(server, {}, async initiator => {
      for (const flags of [0, 0x02]) t.equal((await initiator.execute(preFetch16(1, 1000, flags))).status, 0x04)
      t.equal((await initiator.execute(preFetch16(0, 0))).status, 0, 'the whole disk is more than one command fetches')
      t.equal((await initiator.execute(preFetch16(0, 16385))).sense, '5/24/00')
    })
  })

  await t.test('READ DEFECT DATA: empty lists [SBC-3 §5.17]', async t => {
    await withSession(server, {}, async initiator => {
      const asked = Buffer.alloc(16)
      asked[0] = 0x37
      asked[2] = 0x1d
      asked.writeUInt16BE(8, 7)
      const result = await initiator.executeRead(asked, 8)
      t.match(result, { status: 0, underflow: 4 })
      t.equal(result.data.toString('hex'), '001d0000')
    })
  })
})
