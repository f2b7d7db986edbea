// CDBs as real initiators send them, captured on the wire: libiscsi 1.19 (iscsi-inq, iscsi-ls, iscsi-readcapacity16) and
// QEMU's iscsi driver (qemu-io: read, write, flush) against tgt 1.0.85. Each must come to what the initiator meant.

import t from 'tap'
import { contextOf, disk, send } from './test-fixture.js'

const qemuDisk = contextOf({ ...disk, sizeBlocks: 16384 })

t.test('libiscsi and QEMU find out about a unit', async t => {
  const asked: [hex: string, dataLength: number][] = [
    ['12000000400000000000000000000000', 64],
    ['12000000420000000000000000000000', 66],
    ['12010000400000000000000000000000', 14],
    ['9e100000000000000000000000200000', 32],
    ['a0000000000000000010000000000000', 16],
    ['a0000000000000000018000000000000', 24],
    ['25000000000000000000000000000000', 8],
    ['1a083f00ff0000000000000000000000', 60],
    ['12018300400000000000000000000000', 64],
    ['1201b000400000000000000000000000', 64],
    ['1201b200400000000000000000000000', 8],
  ]
  for (const [hex, dataLength] of asked) {
    const outcome = send(hex, qemuDisk)
    t.equal(outcome.kind === 'dataIn' && outcome.data.length, dataLength, hex)
  }
  t.same(send('00000000000000000000000000000000', qemuDisk), { kind: 'status', status: 0 })
})

t.test('qemu-io reads, writes 8 KiB at 4096, writes one block with FUA, flushes', async t => {
  t.same(send('28000000000000000100000000000000', qemuDisk), { kind: 'read', lba: 0, blocks: 1, fua: false })
  t.same(send('28000000000800001000000000000000', qemuDisk), { kind: 'read', lba: 8, blocks: 16, fua: false })
  t.same(send('2a080000000800001000000000000000', qemuDisk), { kind: 'write', lba: 8, blocks: 16, fua: true })
  t.same(send('2a080000000000000100000000000000', qemuDisk), { kind: 'write', lba: 0, blocks: 1, fua: true })
  t.same(send('35000000000000000000000000000000', qemuDisk), { kind: 'flush', lba: 0, blocks: 16384, immediate: false })
})
