// COMPARE AND WRITE, ORWRITE(16), WRITE ATOMIC(16): ranges, limits, flags [SBC-3 §5.2, §5.5, SBC-4 §5.48].

import t from 'tap'
import { reservationClass } from '../dispatch.js'
import type { LogicalUnit } from '../logical-unit.js'
import { transferDirection, transferLengthBytes } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import { cdbOf, contextOf, dataOf, disk, failsWith, send } from '../test-fixture.js'

const hex = (value: bigint | number, bytes: number): string =>
  BigInt(value)
    .toString(16)
    .padStart(bytes * 2, '0')

/** Each command, written out by hand: flags (byte 1), LBA, blocks; its limit, its TRANSFER LENGTH field, the factor of its data. */
const commands = [
  {
    operation: 'compareAndWrite',
    cdb: (flags: number, lba: bigint | number, blocks: number) =>
      `89 ${hex(flags, 1)} ${hex(lba, 8)} 000000 ${hex(blocks, 1)} 00 00`,
    most: 128,
    lengthField: { in: 'cdb', byte: 13, bit: 7 },
    factor: 2,
    flags: [0x08, 0x02],
  },
  {
    operation: 'orWrite',
    cdb: (flags: number, lba: bigint | number, blocks: number) =>
      `8b ${hex(flags, 1)} ${hex(lba, 8)} ${hex(blocks, 4)} 00 00`,
    most: disk.maxTransferBlocks,
    lengthField: { in: 'cdb', byte: 10, bit: 7 },
    factor: 1,
    flags: [0x08, 0x02],
  },
  {
    operation: 'writeAtomic',
    cdb: (flags: number, lba: bigint | number, blocks: number) =>
      `9c ${hex(flags, 1)} ${hex(lba, 8)} 0000 ${hex(blocks, 2)} 00 00`,
    most: 256,
    lengthField: { in: 'cdb', byte: 12, bit: 7 },
    factor: 1,
    flags: [0x08],
  },
] as const

for (const { operation, cdb, most, lengthField, factor, flags } of commands) {
  const outcome = (lba: number, blocks: number, fua = false) =>
    ({ kind: 'exclusive', operation, lba, blocks, fua, lengthField }) as const

  t.test(`${operation}: range, FUA, DPO, and as much data as it takes [SBC-3 §5.2, §5.5]`, async t => {
    t.same(send(cdb(0, 0x1234, 3)), outcome(0x1234, 3))
    t.same(send(cdb(0x10, 5, 1)), outcome(5, 1), 'DPO is accepted')
    for (const flag of flags) t.same(send(cdb(flag, 5, 1)), outcome(5, 1, true), 'FUA')
    t.equal(transferDirection(outcome(0, 3)), 'out')
    t.equal(transferLengthBytes(outcome(0, 3), disk), 3 * 512 * factor)
  })

  t.test(`${operation}: more blocks than page B0h allows are 5/24/00 at the length [SBC-3 §6.6.4]`, async t => {
    t.same(send(cdb(0, 0, most)), outcome(0, most))
    failsWith(t, send(cdb(0, 0, most + 1)), senseCodes.invalidFieldInCdb, { field: lengthField })
    const small: LogicalUnit = { ...disk, maxTransferBlocks: 64 }
    failsWith(t, send(cdb(0, 0, 65), contextOf(small)), senseCodes.invalidFieldInCdb)
  })

  t.test(`${operation}: beyond the last block 5/21/00, on a read-only unit 7/27/00 [SBC-3 §4.18]`, async t => {
    t.same(send(cdb(0, disk.sizeBlocks - 1, 1)), outcome(disk.sizeBlocks - 1, 1))
    failsWith(t, send(cdb(0, disk.sizeBlocks - 1, 2)), senseCodes.lbaOutOfRange, {
      information: BigInt(disk.sizeBlocks),
    })
    failsWith(t, send(cdb(0, 2n ** 64n - 1n, 1)), senseCodes.lbaOutOfRange, { information: 2n ** 64n - 1n })
    failsWith(t, send(cdb(0, 0, 1), contextOf({ ...disk, readOnly: true })), senseCodes.writeProtected)
  })

  t.test(`${operation}: protection information that is not there is 5/24/00 [SBC-3 §4.22]`, async t => {
    for (let protect = 1; protect < 8; protect++)
      failsWith(t, send(cdb(protect << 5, 0, 1)), senseCodes.invalidFieldInCdb, {
        field: { in: 'cdb', byte: 1, bit: 7 },
      })
  })

  t.test(`${operation}: in conflict with a reservation like a write [SBC-3 §4.17]`, async t => {
    t.equal(reservationClass(cdbOf(cdb(0, 0, 1)), 0), 'asWrite')
  })
}

t.test(
  'no blocks are no error; what COMPARE AND WRITE makes of data with them is for its transfer [SBC-3 §5.2]',
  async t => {
    const [compare, or, atomic] = commands
    for (const { cdb } of [or, atomic]) t.same(send(cdb(0, 0, 0)), { kind: 'status', status: 0 })
    const none = send(compare.cdb(0, 0, 0))
    t.match(none, { kind: 'exclusive', blocks: 0 })
    t.equal(transferLengthBytes(none, disk), 0)
  },
)

t.test(
  'WRITE ATOMIC: an ATOMIC BOUNDARY is 5/24/00, since MAXIMUM ATOMIC BOUNDARY SIZE is zero [SBC-4 §6.6.4]',
  async t => {
    failsWith(t, send(`9c 00 ${hex(0, 8)} 0008 0008 00 00`), senseCodes.invalidFieldInCdb, {
      field: { in: 'cdb', byte: 10, bit: 7 },
    })
  },
)

t.test('WRITE ATOMIC: beyond the end goes before too long [SBC-4 §5.48]', async t => {
  failsWith(t, send(`9c 00 ${hex(disk.sizeBlocks - 1, 8)} 0000 0200 00 00`), senseCodes.lbaOutOfRange)
})

t.test('WRITE ATOMIC keeps to physical blocks, as page B0h says [SBC-4 §4.29, §6.6.4]', async t => {
  const context = () => contextOf({ ...disk, physicalBlockBytes: 4096 })
  const at = (lba: string, blocks: string) => send(`9c 00 ${lba} 0000 ${blocks} 00 00`, context())
  t.match(at('0000000000000010', '0018'), { kind: 'exclusive', operation: 'writeAtomic', lba: 16, blocks: 24 })
  failsWith(t, at('0000000000000001', '0008'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 2, bit: 7 } })
  failsWith(t, at('0000000000000008', '0009'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 12, bit: 7 } })
  const page = dataOf(send('12 01 b0 00ff 00', context()))
  t.same([page.readUInt32BE(48), page.readUInt32BE(52)], [8, 8])
  t.same(
    [...dataOf(send('12 01 b0 00ff 00')).subarray(48, 56)],
    Array(8).fill(0),
    'where they are logical ones: nothing',
  )
})
