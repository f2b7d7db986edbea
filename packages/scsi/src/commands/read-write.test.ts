// READ and WRITE: lengths, ranges, flags [SBC-3 §5.11-5.13, §5.33-5.35]. The CDBs marked "from" were sent by real initiators.

import t from 'tap'
import { transferDirection, transferLengthBytes } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import { contextOf, disk, failsWith, send } from '../test-fixture.js'

const cdbs = (lba: number, blocks: number, byte1 = 0) => {
  const hex = (value: number, bytes: number): string =>
    BigInt(value)
      .toString(16)
      .padStart(bytes * 2, '0')
  const flags = hex(byte1, 1)
  return {
    read: [
      `28 ${flags} ${hex(lba, 4)} 00 ${hex(blocks, 2)} 00`,
      `a8 ${flags} ${hex(lba, 4)} ${hex(blocks, 4)} 00 00`,
      `88 ${flags} ${hex(lba, 8)} ${hex(blocks, 4)} 00 00`,
    ],
    write: [
      `2a ${flags} ${hex(lba, 4)} 00 ${hex(blocks, 2)} 00`,
      `aa ${flags} ${hex(lba, 4)} ${hex(blocks, 4)} 00 00`,
      `8a ${flags} ${hex(lba, 8)} ${hex(blocks, 4)} 00 00`,
    ],
  }
}

t.test('READ and WRITE (10), (12), (16) name range and FUA [SBC-3 §5.11, §5.33]', async t => {
  for (const kind of ['read', 'write'] as const) {
    for (const hex of cdbs(0x1234, 0x101)[kind])
      t.same(send(hex), { kind, lba: 0x1234, blocks: 0x101, fua: false }, hex)
    for (const hex of cdbs(0, 1, 0x08)[kind]) t.same(send(hex), { kind, lba: 0, blocks: 1, fua: true }, `FUA ${hex}`)
    for (const hex of cdbs(0, 1, 0x02)[kind]) t.same(send(hex), { kind, lba: 0, blocks: 1, fua: true }, `FUA_NV ${hex}`)
    for (const hex of cdbs(0, 1, 0x10)[kind]) t.same(send(hex), { kind, lba: 0, blocks: 1, fua: false }, `DPO ${hex}`)
  }
})

t.test('READ(6) and WRITE(6): 21-bit LBA, and length 0 means 256 blocks [SBC-2 §5.5]', async t => {
  const big = contextOf({ ...disk, sizeBlocks: 0x40_0000 })
  t.same(send('08 1f ff f0 01 00', big), { kind: 'read', lba: 0x1ffff0, blocks: 1, fua: false })
  t.same(send('08 00 00 00 00 00'), { kind: 'read', lba: 0, blocks: 256, fua: false })
  t.same(send('0a 00 00 05 00 00'), { kind: 'write', lba: 5, blocks: 256, fua: false })
})

t.test('a transfer length of zero transfers nothing and is no error, but the LBA must exist [SBC-3 §5.11]', async t => {
  for (const kind of ['read', 'write'] as const) {
    for (const hex of cdbs(0, 0)[kind]) t.same(send(hex), { kind: 'status', status: 0 }, hex)
    for (const hex of cdbs(disk.sizeBlocks, 0)[kind])
      t.same(send(hex), { kind: 'status', status: 0 }, 'nothing, right behind the last block')
    for (const hex of cdbs(disk.sizeBlocks + 1, 0)[kind]) failsWith(t, send(hex), senseCodes.lbaOutOfRange)
  }
})

t.test('beyond the last block: 5/21/00 with the first LBA that does not exist [SBC-3 §4.18]', async t => {
  for (const kind of ['read', 'write'] as const) {
    for (const hex of cdbs(disk.sizeBlocks - 1, 1)[kind]) t.equal(send(hex).kind, kind, 'the last block')
    for (const hex of cdbs(disk.sizeBlocks - 1, 2)[kind])
      failsWith(t, send(hex), senseCodes.lbaOutOfRange, { information: BigInt(disk.sizeBlocks) })
    for (const hex of cdbs(0x8000_0000, 1)[kind])
      failsWith(t, send(hex), senseCodes.lbaOutOfRange, { information: 0x8000_0000n })
  }
  failsWith(t, send('88 00 ff ff ff ff ff ff ff ff 00 00 00 01 00 00'), senseCodes.lbaOutOfRange, {
    information: 0xffff_ffff_ffff_ffffn,
  })
  failsWith(t, send('88 00 80 00 00 00 00 00 00 01 00 00 00 00 00 00'), senseCodes.lbaOutOfRange, {
    information: 0x8000_0000_0000_0001n,
  })
})

t.test('an LBA above 2^32 is exact [SBC-3 §5.13]', async t => {
  const huge = contextOf({ ...disk, sizeBlocks: 2 ** 53 })
  t.same(send('88 00 00 1f ff ff ff ff ff ff 00 00 00 01 00 00', huge), {
    kind: 'read',
    lba: 2 ** 53 - 1,
    blocks: 1,
    fua: false,
  })
  failsWith(t, send('88 00 00 1f ff ff ff ff ff ff 00 00 00 02 00 00', huge), senseCodes.lbaOutOfRange, {
    information: 2n ** 53n,
  })
})

t.test('more than MAXIMUM TRANSFER LENGTH: 5/24/00 at the length [SBC-3 §6.6.4]', async t => {
  t.equal(send('28 00 00000000 00 0800 00').kind, 'read', 'exactly the maximum')
  failsWith(t, send('28 00 00000000 00 0801 00'), senseCodes.invalidFieldInCdb, {
    field: { in: 'cdb', byte: 7, bit: 7 },
  })
  failsWith(t, send('8a 00 0000000000000000 ffffffff 00 00'), senseCodes.invalidFieldInCdb, {
    field: { in: 'cdb', byte: 10, bit: 7 },
  })
  failsWith(t, send('08 00 00 00 00 00', contextOf({ ...disk, maxTransferBlocks: 255 })), senseCodes.invalidFieldInCdb)
})

t.test('RDPROTECT and WRPROTECT other than zero: 5/24/00 [SBC-3 §5.11, no protection information]', async t => {
  for (let protect = 1; protect < 8; protect++) {
    for (const hex of [...cdbs(0, 1, protect << 5).read, ...cdbs(0, 1, protect << 5).write]) {
      failsWith(t, send(hex), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit: 7 } })
    }
  }
})

t.test('a read-only unit: WRITE ends with 7/27/00, READ goes on [SBC-3 §4.12]', async t => {
  const context = contextOf({ ...disk, readOnly: true })
  for (const hex of [...cdbs(0, 1).write, '0a 00 00 00 01 00'])
    failsWith(t, send(hex, context), senseCodes.writeProtected)
  for (const hex of cdbs(0, 1).read) t.equal(send(hex, context).kind, 'read')
})

t.test('RelAdr and RARC are refused: an address taken for another touches other blocks [SBC-3 §5.11]', async t => {
  failsWith(t, send('28 01 00000000 00 0001 00'), senseCodes.invalidFieldInCdb, {
    field: { in: 'cdb', byte: 1, bit: 0 },
  })
  failsWith(t, send('28 04 00000000 00 0001 00'), senseCodes.invalidFieldInCdb, {
    field: { in: 'cdb', byte: 1, bit: 2 },
  })
})

t.test('GROUP NUMBER has no effect [SBC-3 §4.22]', async t => {
  t.same(send('28 00 00000000 1f 0001 00'), { kind: 'read', lba: 0, blocks: 1, fua: false })
  failsWith(t, send('28 00 00000000 20 0001 00'), senseCodes.invalidFieldInCdb, {
    field: { in: 'cdb', byte: 6, bit: 5 },
  })
})

t.test('the wire length of a transfer is blocks times block size', async t => {
  const of4k = { ...disk, blockBytes: 4096 }
  const read = send('28 00 00000000 00 0003 00')
  t.equal(transferLengthBytes(read, disk), 1536)
  t.equal(transferLengthBytes(read, of4k), 12288)
  t.equal(transferDirection(read), 'in')
  t.equal(transferDirection(send('2a 00 00000000 00 0003 00')), 'out')
  t.equal(transferLengthBytes(send('28 00 00000000 00 0000 00'), disk), 0)
})
