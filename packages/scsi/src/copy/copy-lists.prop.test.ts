// Properties of the parameter lists of third-party copy: whatever bytes come, the answer is a condition, or a copy within the limits.

import fc from 'fast-check'
import t from 'tap'
import type { Outcome } from '../outcome.js'
import { encodeSense } from '../sense.js'
import { disk } from '../test-fixture.js'
import { extendedCopyList } from './extended-copy-list.js'
import { cscd, extendedCopyBytes, populateBytes, range, segment, writeUsingBytes } from './fixtures/lists.js'
import { MAX_CSCD_DESCRIPTORS, MAX_RANGE_DESCRIPTORS, MAX_SEGMENT_DESCRIPTORS, MAX_TOKEN_BYTES } from './limits.js'
import { populateTokenList, writeUsingTokenList } from './token-lists.js'

const zeroToken = Buffer.alloc(512)
zeroToken.write('ffff0001000001f8', 0, 'hex')

/** A list that is right, with some bytes changed and its end cut off. */
function damaged(list: Buffer): fc.Arbitrary<Buffer> {
  const changes = fc.array(fc.tuple(fc.nat(list.length - 1), fc.nat(255)), { maxLength: 4 })
  return fc
    .tuple(changes, fc.oneof({ weight: 3, arbitrary: fc.constant(list.length) }, fc.nat(list.length)))
    .map(([bytes, length]) => {
      const other = Buffer.from(list)
      for (const [at, value] of bytes) other[at] = value
      return other.subarray(0, length)
    })
}

const anything = fc.uint8Array({ maxLength: 700 }).map(bytes => Buffer.from(bytes))

function within(outcome: Outcome): boolean {
  if (outcome.kind === 'status')
    return outcome.status === 2 && outcome.sense !== undefined && encodeSense(outcome.sense, 'fixed').length === 18
  if (outcome.kind !== 'copy') return false
  const { job } = outcome
  if (job.kind === 'extendedCopy')
    return (
      job.units.length <= MAX_CSCD_DESCRIPTORS &&
      job.segments.length <= MAX_SEGMENT_DESCRIPTORS &&
      job.units.every(unit => unit.designation.length <= 24)
    )
  return (
    job.ranges.length <= MAX_RANGE_DESCRIPTORS &&
    job.totalBlocks * disk.blockBytes <= MAX_TOKEN_BYTES &&
    job.ranges.every(({ lba, blocks }) => blocks > 0 && lba >= 0 && lba + blocks <= disk.sizeBlocks)
  )
}

const lists = [
  ['EXTENDED COPY', extendedCopyBytes([cscd(), cscd()], [segment(), segment({ source: 1 })]), extendedCopyList],
  ['POPULATE TOKEN', populateBytes([range(5, 3), range(99, 1)]), (data: Buffer) => populateTokenList(data, 1, disk)],
  [
    'WRITE USING TOKEN',
    writeUsingBytes(zeroToken, [range(5, 3), range(99, 1)]),
    (data: Buffer) => writeUsingTokenList(data, 1, disk),
  ],
] as const

for (const [name, list, parse] of lists) {
  t.test(`${name}: any bytes, and a right list with faults, never throw and never reach too far`, async t => {
    const kinds = new Set<string>()
    fc.assert(
      fc.property(fc.oneof(anything, damaged(list)), data => {
        const outcome = parse(data)
        kinds.add(outcome.kind)
        return within(outcome)
      }),
      { numRuns: 5_000 },
    )
    t.same([...kinds].sort(), ['copy', 'status'], 'both were met')
  })
}
