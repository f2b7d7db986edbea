// PRE-FETCH (10) and (16) [SBC-3 §5.8, §5.9]: brings blocks into the cache, which is the page cache of the machine. A length of zero means all
// blocks from the LBA on; of those, as many are fetched as one command may name.

import type { Field } from '@scsipub/bytes'
import { bit, bits, u16, u32 } from '@scsipub/bytes'
import type { Cdb } from '../cdb.js'
import { cdb, lba64 } from '../cdb.js'
import type { Command, TableEntry } from '../command.js'
import type { LogicalUnit } from '../logical-unit.js'
import { conditionMet } from '../outcome.js'
import { outOfRange, tooLong } from './block-range.js'

/** MAXIMUM PREFETCH LENGTH of page B0h, in blocks. */
export function maxPrefetchBlocks(lu: LogicalUnit): number {
  return lu.maxTransferBlocks
}

const ignored = ['groupNumber'] as const

export const preFetch10 = cdb(
  10,
  { immed: bit(1, 1), logicalBlockAddress: u32(2), groupNumber: bits(6, 0, 5), prefetchLength: u16(7) },
  ignored,
)
export const preFetch16 = cdb(
  16,
  { immed: bit(1, 1), logicalBlockAddress: lba64(2), prefetchLength: u32(10), groupNumber: bits(14, 0, 5) },
  ignored,
)

type PreFetchCdb = Cdb<{ immed: Field<boolean>; logicalBlockAddress: Field<number>; prefetchLength: Field<number> }>

/** Makes the `run` of a PRE-FETCH. */
export function preFetch({ get, pointer }: PreFetchCdb): Command['run'] {
  return (cdb, offset, _context, lu) => {
    const lba = get.logicalBlockAddress(cdb, offset)
    const named = get.prefetchLength(cdb, offset)
    const fault = tooLong(lu, named, pointer.prefetchLength) ?? outOfRange(cdb, offset, lu, lba, named)
    if (fault !== undefined) return fault
    const all = named === 0 ? lu.sizeBlocks - lba : named
    if (all === 0) return conditionMet
    const blocks = Math.min(all, maxPrefetchBlocks(lu))
    return { kind: 'preFetch', lba, blocks, fits: blocks === all, immediate: get.immed(cdb, offset) }
  }
}

const row = { direction: 'none', reserved: 'asRead', needsMedium: true } as const

/** Their rows of the command table. */
export const preFetches: Readonly<Record<number, TableEntry>> = {
  0x34: { name: 'PRE-FETCH(10)', spec: 'SBC-3 §5.8', cdb: preFetch10, ...row, run: preFetch(preFetch10) },
  0x90: { name: 'PRE-FETCH(16)', spec: 'SBC-3 §5.9', cdb: preFetch16, ...row, run: preFetch(preFetch16) },
}
