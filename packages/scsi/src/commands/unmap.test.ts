// UNMAP: the parameter list and its faults [SBC-3 §5.28].

import fc from 'fast-check'
import t from 'tap'
import type { LogicalUnit } from '../logical-unit.js'
import type { Outcome } from '../outcome.js'
import { MAX_UNMAP_DESCRIPTORS, maxUnmapBlocks } from '../provisioning-limits.js'
import { senseCodes } from '../sense-codes.js'
import { contextOf, disk, failsWith, send } from '../test-fixture.js'

interface Lengths {
  /** PARAMETER LIST LENGTH, UNMAP DATA LENGTH and UNMAP BLOCK DESCRIPTOR DATA LENGTH, when they should not be right. */
  readonly list?: number
  readonly data?: number
  readonly descriptors?: number
}

/** A list by hand: offsets as the standard has them. */
function listOf(ranges: readonly (readonly [lba: bigint, blocks: number])[], lengths: Lengths = {}): Buffer {
  const list = Buffer.alloc(8 + 16 * ranges.length)
  list.writeUInt16BE(lengths.data ?? list.length - 2, 0)
  list.writeUInt16BE(lengths.descriptors ?? list.length - 8, 2)
  ranges.forEach(([lba, blocks], index) => {
    list.writeBigUInt64BE(lba, 8 + 16 * index)
    list.writeUInt32BE(blocks, 16 + 16 * index)
  })
  return list
}

function unmapped(
  list: Buffer,
  { list: length = list.length }: Lengths = {},
  flags = '00',
  lu: LogicalUnit = disk,
): Outcome {
  const outcome = send(`42 ${flags} 0000000000 ${length.toString(16).padStart(4, '0')} 00`, contextOf(lu))
  if (outcome.kind !== 'parameterOut') return outcome
  t.equal(outcome.lengthBytes, length)
  return outcome.apply(list.subarray(0, length))
}

const unmap = (ranges: { lba: number; blocks: number }[], anchor = false): Outcome => ({
  kind: 'provision',
  operation: { name: 'unmap', ranges, anchor },
})

t.test('ranges in any order, overlapping, or of no blocks [SBC-3 §5.28.2]', async t => {
  const list = listOf([
    [100n, 8],
    [4n, 0],
    [96n, 8],
    [0xfffffn, 1],
  ])
  const ranges = [
    { lba: 100, blocks: 8 },
    { lba: 96, blocks: 8 },
    { lba: 0xfffff, blocks: 1 },
  ]
  t.same(unmapped(list), unmap(ranges))
  t.same(unmapped(list, {}, '01'), unmap(ranges, true), 'ANCHOR')
})

t.test('no list, and a list without descriptors, are no error [SBC-3 §5.28.1]', async t => {
  t.same(send('42 00 0000000000 0000 00'), { kind: 'status', status: 0 })
  t.same(unmapped(listOf([])), unmap([]))
})

t.test('a list without room for its header: 5/1A/00 [SBC-3 §5.28.1]', async t => {
  for (let length = 1; length < 8; length++)
    failsWith(t, unmapped(listOf([]), { list: length }), senseCodes.parameterListLengthError)
})

t.test('less data than the PARAMETER LIST LENGTH says: 5/1A/00, nothing is unmapped [SPC-4 §4.2.5.5]', async t => {
  const outcome = send('42 00 0000000000 0018 00')
  failsWith(
    t,
    outcome.kind === 'parameterOut' ? outcome.apply(listOf([[1n, 1]]).subarray(0, 23)) : outcome,
    senseCodes.parameterListLengthError,
  )
})

t.test('a descriptor that is not whole is ignored, whichever length cuts it [SBC-3 §5.28.2]', async t => {
  const two: [bigint, number][] = [
    [8n, 1],
    [16n, 1],
  ]
  const first = unmap([{ lba: 8, blocks: 1 }])
  t.same(unmapped(listOf(two), { list: 39 }), first, 'PARAMETER LIST LENGTH')
  t.same(unmapped(listOf(two, { descriptors: 31 })), first, 'UNMAP BLOCK DESCRIPTOR DATA LENGTH')
  t.same(unmapped(listOf(two, { data: 37 })), first, 'UNMAP DATA LENGTH')
  t.same(unmapped(listOf(two, { data: 0 })), unmap([]), 'UNMAP DATA LENGTH of less than a header')
  t.same(
    unmapped(listOf(two, { descriptors: 0xffff, data: 0xffff })),
    unmap([
      { lba: 8, blocks: 1 },
      { lba: 16, blocks: 1 },
    ]),
    'lengths that promise too much',
  )
})

t.test(
  'one range that reaches beyond the last block: 5/21/00, with the LBA, and nothing is unmapped [SBC-3 §5.28.2]',
  async t => {
    failsWith(
      t,
      unmapped(
        listOf([
          [0n, 8],
          [0xfffffn, 2],
        ]),
      ),
      senseCodes.lbaOutOfRange,
      { information: 0x100000n },
    )
    failsWith(t, unmapped(listOf([[0xffff_ffff_ffff_fff0n, 1]])), senseCodes.lbaOutOfRange, {
      information: 0xffff_ffff_ffff_fff0n,
    })
  },
)

t.test('more than page B0h allows: 5/26/00, and nothing is unmapped [SBC-3 §5.28.2, §6.6.4]', async t => {
  const most = maxUnmapBlocks(disk)
  const large = { ...disk, sizeBlocks: 2 ** 40 }
  const big = (ranges: [bigint, number][]) => unmapped(listOf(ranges), {}, '00', large)
  t.equal(big([[0n, most]]).kind, 'provision')
  failsWith(
    t,
    big([
      [0n, most - 1],
      [9n, 2],
    ]),
    senseCodes.invalidFieldInParameterList,
    { field: { in: 'parameterList', byte: 32, bit: 7 } },
  )
  const many = (count: number) => unmapped(listOf(Array.from({ length: count }, () => [1n, 1])))
  t.equal(many(MAX_UNMAP_DESCRIPTORS).kind, 'provision')
  failsWith(t, many(MAX_UNMAP_DESCRIPTORS + 1), senseCodes.invalidFieldInParameterList, {
    field: { in: 'parameterList', byte: 2, bit: 7 },
  })
})

t.test('a read-only unit: 7/27/00. A fully provisioned one does not know it: 5/20/00 [SBC-3 §4.18, §5.28]', async t => {
  failsWith(t, unmapped(listOf([[1n, 1]]), {}, '00', { ...disk, readOnly: true }), senseCodes.writeProtected)
  failsWith(t, unmapped(listOf([[1n, 1]]), {}, '00', { ...disk, thin: false }), senseCodes.invalidCommandOperationCode)
})

t.test('any list gives ranges within the unit, or a condition', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 100 }), fc.boolean(), (bytes, small) => {
      const list = Buffer.from(bytes)
      // Mostly zeros above, so that some ranges are in the unit.
      if (small)
        for (let at = 8; at < list.length; at++)
          if ((at - 8) % 16 < 5 || ((at - 8) % 16 > 7 && (at - 8) % 16 < 11)) list[at] = 0
      const outcome = unmapped(list)
      if (outcome.kind === 'status') return outcome.status === 2
      if (outcome.kind !== 'provision' || outcome.operation.name !== 'unmap') return false
      return outcome.operation.ranges.every(({ lba, blocks }) => blocks > 0 && lba + blocks <= disk.sizeBlocks)
    }),
    { numRuns: 2000 },
  )
})
