// LOG SENSE [SPC-4 §6.8]: log pages, and the lists of them: page 00h, and 00h/FFh with subpages [SPC-4 §7.3.13, §7.3.14].
//
// Nothing is saved, so SP=1 is refused. PAGE CONTROL tells cumulative from threshold and current from default values; there are neither
// thresholds nor defaults that differ, so every kind is answered with the current values. PPC is obsolete.

import { bit, bits, layout, u8, u16 } from '@scsipub/bytes'
import { cdb } from '../cdb.js'
import type { Context, LogicalUnit } from '../logical-unit.js'
import type { Outcome } from '../outcome.js'
import { dataIn, invalidFieldInCdb } from '../outcome.js'
import { type LogPage, type LogParameter, logPages } from './log-pages.js'

export const logSenseCdb = cdb(10, {
  sp: bit(1, 0),
  pc: bits(2, 6, 2),
  pageCode: bits(2, 0, 6),
  subpageCode: u8(3),
  parameterPointer: u16(5),
  allocationLength: u16(7),
})

/** Header of a log page; DS says that it cannot be saved [SPC-4 §7.3.2]. */
export const logPageHeader = layout(4, {
  ds: bit(0, 7),
  spf: bit(0, 6),
  pageCode: bits(0, 0, 6),
  subpageCode: u8(1),
  pageLength: u16(2),
})
export const logParameterHeader = layout(4, { parameterCode: u16(0), control: u8(2), parameterLength: u8(3) })

const LISTS = 0x00
const ALL_SUBPAGES = 0xff

/** One page, from the parameter that the pointer names on. */
export function logSense(cdb: Buffer, offset: number, _context: Context, lu: LogicalUnit): Outcome {
  return logSenseOf(logPages, cdb, offset, lu)
}

/** As `logSense`, over other pages. */
export function logSenseOf(pages: readonly LogPage[], cdb: Buffer, offset: number, lu: LogicalUnit): Outcome {
  const { get, pointer } = logSenseCdb
  if (get.sp(cdb, offset)) return invalidFieldInCdb(pointer.sp)
  const code = get.pageCode(cdb, offset)
  const subpage = get.subpageCode(cdb, offset)
  const from = get.parameterPointer(cdb, offset)
  const own = pages.filter(({ on }) => on?.(lu) ?? true)
  const allocationLength = get.allocationLength(cdb, offset)

  if (code === LISTS) {
    const list = listOf(own, subpage)
    if (list === undefined) return invalidFieldInCdb(pointer.subpageCode)
    // The lists have no parameters for the pointer to name [SPC-4 §6.8].
    if (from !== 0) return invalidFieldInCdb(pointer.parameterPointer)
    return dataIn(pageOf(LISTS, subpage, list), allocationLength)
  }
  const sameCode = own.filter(page => page.code === code)
  if (sameCode.length === 0) return invalidFieldInCdb(pointer.pageCode)
  const page = sameCode.find(page => page.subpage === subpage)
  if (page === undefined) return invalidFieldInCdb(pointer.subpageCode)
  const all = page.parameters(lu)
  const chosen = all.filter(parameter => parameter.code >= from)
  // A pointer behind the last parameter is an error [SPC-4 §6.8].
  if (chosen.length === 0 && from !== 0) return invalidFieldInCdb(pointer.parameterPointer)
  return dataIn(pageOf(code, subpage, Buffer.concat(chosen.map(encodeParameter))), allocationLength)
}

/** Page codes, or page and subpage codes, of everything there is, the lists themselves first. */
function listOf(pages: readonly LogPage[], subpage: number): Buffer | undefined {
  if (subpage === 0) return Buffer.from([LISTS, ...new Set(pages.map(({ code }) => code))])
  if (subpage !== ALL_SUBPAGES) return undefined
  return Buffer.from([LISTS, 0x00, LISTS, ALL_SUBPAGES, ...pages.flatMap(page => [page.code, page.subpage])])
}

function pageOf(pageCode: number, subpageCode: number, body: Buffer): Buffer {
  const header = logPageHeader.encode({
    ds: pageCode !== LISTS,
    spf: subpageCode !== 0,
    pageCode,
    subpageCode,
    pageLength: body.length,
  })
  return Buffer.concat([header, body])
}

function encodeParameter({ code, control, value }: LogParameter): Buffer {
  const header = logParameterHeader.encode({ parameterCode: code, control, parameterLength: value.length })
  return Buffer.concat([header, value])
}
