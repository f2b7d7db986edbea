// GET LBA STATUS [SBC-3 §5.6] and the Logical Block Provisioning log page [SBC-3 §6.4.4].

import t from 'tap'
import { senseCodes } from '../sense-codes.js'
import { contextOf, dataOf, disk, failsWith, send } from '../test-fixture.js'

function asked(hex: string, lu = disk) {
  const outcome = send(hex, contextOf(lu))
  if (outcome.kind !== 'provision' || outcome.operation.name !== 'lbaStatus') throw new Error(outcome.kind)
  return outcome.operation
}

t.test('asks for runs to the last block, as many as the answer has room for, one at least [SBC-3 §5.6.2]', async t => {
  const small = { lba: 0x10, blocks: disk.sizeBlocks - 0x10 }
  t.match(asked('9e 12 0000000000000010 00000048 00 00'), { ...small, limit: 4 })
  t.match(asked('9e 12 0000000000000010 00000000 00 00'), { ...small, limit: 1 })
  t.match(asked('9e 12 0000000000000010 ffffffff 00 00'), { ...small, limit: 1024 })
  t.match(asked('9e 12 0000000000000000 00000018 00 00', { ...disk, sizeBlocks: 2 ** 40 }), { blocks: 2 ** 23 })
})

t.test('the answer: a header, then a descriptor of 16 bytes a run [SBC-3 §5.6.2]', async t => {
  const runs = [
    { lba: 0x10, blocks: 3, status: 0 },
    { lba: 0x13, blocks: 0x100, status: 1 },
    { lba: 0x113, blocks: 1, status: 2 },
  ] as const
  const descriptors = ['00000003' + '00000000', '00000100' + '01000000', '00000001' + '02000000'].map(
    (rest, index) => runs[index]!.lba.toString(16).padStart(16, '0') + rest,
  )
  const { answer } = asked('9e 12 0000000000000010 00001000 00 00')
  t.equal(dataOf(answer(runs)).toString('hex'), '00000034' + '00000000' + descriptors.join(''))
  const cut = asked('9e 12 0000000000000010 0000000c 00 00')
  t.equal(dataOf(cut.answer(runs.slice(0, 1))).toString('hex'), '00000014' + '00000000' + '00000000')
})

t.test('beyond the last block: 5/21/00. A fully provisioned unit does not know it [SBC-3 §5.6.1]', async t => {
  failsWith(t, send('9e 12 0000000000100000 00000018 00 00'), senseCodes.lbaOutOfRange, { information: 0x100000n })
  failsWith(t, send('9e 12', contextOf({ ...disk, thin: false })), senseCodes.invalidFieldInCdb)
})

t.test('log page 0Ch: what is left and what is used, in sets of 2^3 blocks [SBC-3 §6.4.4]', async t => {
  const log = (lu = disk) => send('4d 00 4c 00 00 0000 00ff 00', contextOf(lu))
  t.equal(
    dataOf(log()).toString('hex'),
    '8c000018' + '00010308' + '00000177' + '02000000' + '00020308' + '0000007d' + '02000000',
  )
  failsWith(t, log({ ...disk, thin: false }), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 2, bit: 5 } })
})
