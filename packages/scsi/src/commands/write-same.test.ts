// WRITE SAME (10) and (16) [SBC-3 §5.42, §5.43].

import t from 'tap'
import type { Outcome } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import { contextOf, dataOf, disk, failsWith, send } from '../test-fixture.js'

const both = (flags: string, lba: string, blocks: string): string[] => [
  `41 ${flags} 0000${lba} 00 ${blocks} 00`,
  `93 ${flags} 000000000000${lba} 0000${blocks} 00 00`,
]

function applied(outcome: Outcome, block: Buffer): Outcome {
  return outcome.kind === 'parameterOut' ? outcome.apply(block) : outcome
}

t.test('takes one block and writes it to the range; UNMAP and ANCHOR go with it [SBC-3 §5.42.1]', async t => {
  const block = Buffer.alloc(512, 0xa5)
  for (const [flags, unmap, anchor] of [
    ['00', false, false],
    ['08', true, false],
    ['18', true, true],
  ] as const) {
    for (const hex of both(flags, '0010', '0003')) {
      const outcome = send(hex)
      t.equal(outcome.kind === 'parameterOut' && outcome.lengthBytes, 512)
      t.same(applied(outcome, block), {
        kind: 'provision',
        operation: { name: 'writeSame', lba: 0x10, blocks: 3, block, unmap, anchor },
      })
    }
  }
})

t.test('a part of a block is refused: it cannot be repeated [SBC-3 §5.42.1]', async t => {
  for (const hex of both('00', '0010', '0003'))
    failsWith(t, applied(send(hex), Buffer.alloc(511)), senseCodes.invalidFieldInCdb)
})

t.test('NDOB: zeros without data from the initiator, in the 16-byte command only [SBC-3 §5.43]', async t => {
  t.same(send('93 01 0000000000000010 00000003 00 00'), {
    kind: 'provision',
    operation: { name: 'writeSame', lba: 0x10, blocks: 3, block: Buffer.alloc(512), unmap: false, anchor: false },
  })
  failsWith(t, send('41 01 00000010 00 0003 00'), senseCodes.invalidFieldInCdb, {
    field: { in: 'cdb', byte: 1, bit: 0 },
  })
})

t.test('ANCHOR without UNMAP, WRPROTECT, PBDATA and LBDATA: 5/24/00 [SBC-3 §5.42.1]', async t => {
  for (const [flags, bit] of [
    ['10', 4],
    ['20', 7],
    ['04', 2],
    ['02', 1],
  ] as const)
    for (const hex of both(flags, '0010', '0001'))
      failsWith(t, send(hex), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit } })
})

t.test('no number of blocks, or more than MAXIMUM WRITE SAME LENGTH: 5/24/00 [SBC-3 §5.42.1, §6.6.4]', async t => {
  for (const hex of [...both('00', '0000', '0000'), ...both('08', '0000', '0801')])
    failsWith(t, send(hex), senseCodes.invalidFieldInCdb)
  t.equal(send('41 00 00000000 00 0800 00').kind, 'parameterOut')
})

t.test('beyond the last block: 5/21/00 with the LBA [SBC-3 §4.18]', async t => {
  failsWith(t, send('41 00 000fffff 00 0002 00'), senseCodes.lbaOutOfRange, { information: 0x100000n })
  failsWith(t, send('93 08 ffffffffffffffff 00000001 00 00'), senseCodes.lbaOutOfRange, {
    information: 0xffff_ffff_ffff_ffffn,
  })
})

t.test(
  'a read-only unit: 7/27/00. A fully provisioned one writes, and refuses UNMAP [SBC-3 §4.18, §5.42.1]',
  async t => {
    for (const hex of [...both('00', '0000', '0001'), ...both('08', '0000', '0001')])
      failsWith(t, send(hex, contextOf({ ...disk, readOnly: true })), senseCodes.writeProtected)
    const thick = contextOf({ ...disk, thin: false })
    for (const hex of both('00', '0000', '0001')) t.equal(send(hex, thick).kind, 'parameterOut')
    for (const hex of both('08', '0000', '0001'))
      failsWith(t, send(hex, thick), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit: 3 } })
  },
)

t.test('without a length: to the end of a fully provisioned unit [SBC-3 §5.42.1, §6.6.4]', async t => {
  const small = { ...disk, thin: false, sizeBlocks: 2049 }
  const at = (lba: string, lu = small) => send(`93 01 ${lba} 00000000 00 00`, contextOf(lu))
  t.match(at('00000000000007ff'), { kind: 'provision', operation: { name: 'writeSame', lba: 2047, blocks: 2 } })
  t.match(at('0000000000000001'), { kind: 'provision', operation: { lba: 1, blocks: 2048 } })
  failsWith(t, at('0000000000000000'), senseCodes.invalidFieldInCdb)
  t.match(at('0000000000000801'), { kind: 'status', status: 0 }, 'nothing is left behind the last block')
  failsWith(t, at('0000000000000802'), senseCodes.lbaOutOfRange, { information: 0x802n })
  const wsnz = (lu: typeof disk) => dataOf(send('12 01 b0 00ff 00', contextOf(lu)))[4]! & 1
  t.equal(wsnz(small), 0)
  for (const other of [disk, { ...small, thin: true }]) {
    t.equal(wsnz(other), 1)
    failsWith(t, at('0000000000000000', other), senseCodes.invalidFieldInCdb)
  }
})
