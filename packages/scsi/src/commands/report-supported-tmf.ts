// REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS [SPC-4 §6.36]. Which there are is the transport's affair; this one has those of
// iSCSI but CLEAR ACA and the QUERY functions. Timeouts are not specified, so they are zero where they are asked for (REPD).

import { bit, bits, layout, u8, u32 } from '@scsipub/bytes'
import { cdb } from '../cdb.js'
import type { Command } from '../command.js'
import { dataIn, invalidFieldInCdb } from '../outcome.js'

export const reportSupportedTmfCdb = cdb(12, {
  serviceAction: bits(1, 0, 5),
  repd: bit(2, 7),
  allocationLength: u32(6),
})

const functions = {
  ats: bit(0, 7),
  atss: bit(0, 6),
  cacas: bit(0, 5),
  ctss: bit(0, 4),
  lurs: bit(0, 3),
  qts: bit(0, 2),
  /** Obsolete since SPC-4; initiators still look at it. */
  trs: bit(0, 1),
  additionalLength: u8(3),
}
const basic = layout(4, functions)
const extended = layout(16, functions)

const SUPPORTED = { ats: true, atss: true, ctss: true, lurs: true, trs: true } as const

/** The parameter data needs room for its first four bytes [SPC-4 §6.36.1]. */
const MIN_ALLOCATION_BYTES = 4

export const reportSupportedTmf: Command['run'] = (cdb, offset) => {
  const { get, pointer } = reportSupportedTmfCdb
  const allocationLength = get.allocationLength(cdb, offset)
  if (allocationLength < MIN_ALLOCATION_BYTES) return invalidFieldInCdb(pointer.allocationLength)
  const data = get.repd(cdb, offset)
    ? extended.encode({ ...SUPPORTED, additionalLength: extended.size - 4 })
    : basic.encode(SUPPORTED)
  return dataIn(data, allocationLength)
}
