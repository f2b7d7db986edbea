// MODE SELECT (6) and (10) [SPC-4 §6.11, §6.12]: the parameter list has the form of what MODE SENSE gives. All of it is looked at before
// anything is changed, and what cannot be changed has to be as it is [SPC-4 §6.11]:
//
//   1A/00  the list ends within a header, a block descriptor or a page
//   26/00  an unknown page, a page of another length, a bit that cannot be changed; with a pointer to it
//
// Nothing is saved (SP=1 is refused), and there is no format but the standard's (PF). MODE DATA LENGTH and the device-specific parameter are reserved here; initiators
// send back what they read, so they are passed over. So is PS. Left out: RTD.

import type { Field } from '@scsipub/bytes'
import { bit, u8, u16 } from '@scsipub/bytes'
import type { Cdb } from '../cdb.js'
import { cdb } from '../cdb.js'
import type { Command } from '../command.js'
import type { LogicalUnit } from '../logical-unit.js'
import type { Outcome } from '../outcome.js'
import { checkCondition, good, invalidFieldInCdb } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import type { ModeParameters } from './mode-pages.js'
import { controlPage, modePage } from './mode-pages.js'
import { header6, header10, longDescriptor, shortDescriptor } from './mode-sense.js'

const flags = { pf: bit(1, 4), sp: bit(1, 0) }
export const modeSelect6Cdb = cdb(6, { ...flags, parameterListLength: u8(4) })
export const modeSelect10Cdb = cdb(10, { ...flags, parameterListLength: u16(7) })

type ModeSelectCdb = Cdb<typeof flags & { parameterListLength: Field<number> }>

/** Header of a parameter list: its size, where MEDIUM TYPE and the block descriptors' length are. */
interface Header {
  readonly size: number
  readonly mediumTypeAt: number
  readonly descriptorLengthAt: number
  readonly descriptorLength: (list: Buffer) => number
  readonly longLba: (list: Buffer) => boolean
}

const short: Header = {
  size: header6.size,
  mediumTypeAt: 1,
  descriptorLengthAt: 3,
  descriptorLength: list => header6.get.blockDescriptorLength(list, 0),
  longLba: () => false,
}
const long: Header = {
  size: header10.size,
  mediumTypeAt: 2,
  descriptorLengthAt: 6,
  descriptorLength: list => header10.get.blockDescriptorLength(list, 0),
  longLba: list => header10.get.longLba(list, 0),
}

/** MODE SELECT (6). */
export const modeSelect6: Command['run'] = (cdb, offset, _context, lu) =>
  modeSelect(modeSelect6Cdb, short, cdb, offset, lu)

/** MODE SELECT (10). */
export const modeSelect10: Command['run'] = (cdb, offset, _context, lu) =>
  modeSelect(modeSelect10Cdb, long, cdb, offset, lu)

function modeSelect(
  { get, pointer }: ModeSelectCdb,
  header: Header,
  cdb: Buffer,
  offset: number,
  lu: LogicalUnit,
): Outcome {
  // Nothing is ever saved [SPC-4 §6.11].
  if (get.sp(cdb, offset)) return invalidFieldInCdb(pointer.sp)
  const lengthBytes = get.parameterListLength(cdb, offset)
  // No list is not an error [SPC-4 §6.11].
  if (lengthBytes === 0) return good
  if (!get.pf(cdb, offset)) return invalidFieldInCdb(pointer.pf)
  return {
    kind: 'parameterOut',
    lengthBytes,
    apply: data => (data.length < lengthBytes ? cutShort : change(data, header, lu)),
  }
}

const cutShort: Outcome = checkCondition(senseCodes.parameterListLengthError)

function invalidAt(byte: number, bit?: number): Outcome {
  const field = { in: 'parameterList', byte, ...(bit === undefined ? {} : { bit }) } as const
  return checkCondition(senseCodes.invalidFieldInParameterList, { field })
}

function change(list: Buffer, header: Header, lu: LogicalUnit): Outcome {
  if (list.length < header.size) return cutShort
  if (list[header.mediumTypeAt] !== 0) return invalidAt(header.mediumTypeAt)
  const fault = faultOfDescriptor(list, header, lu)
  if (fault !== undefined) return fault
  const before = parametersOf(lu)
  let after = before
  for (let at = header.size + header.descriptorLength(list); at < list.length; ) {
    const length = faultOrLength(list, at, lu)
    if (typeof length !== 'number') return length
    if (pageCodeAt(list, at) === CONTROL) {
      const { get } = controlPage
      after = { softwareWriteProtect: get.swp(list, at), descriptorSense: get.dSense(list, at) }
    }
    at += length
  }
  const same =
    after.softwareWriteProtect === before.softwareWriteProtect && after.descriptorSense === before.descriptorSense
  return same ? good : { kind: 'unit', change: { name: 'setMode', ...after } }
}

const CONTROL = 0x0a

function parametersOf({ softwareWriteProtect = false, descriptorSense = false }: LogicalUnit): ModeParameters {
  return { softwareWriteProtect, descriptorSense }
}

/** Capacity and block length cannot be changed: they are as they are, or zero, or all ones for the capacity [SBC-3 §6.5.2]. */
function faultOfDescriptor(list: Buffer, header: Header, lu: LogicalUnit): Outcome | undefined {
  const length = header.descriptorLength(list)
  if (length === 0) return undefined
  const at = header.size
  const [layout, all] = header.longLba(list)
    ? ([longDescriptor, 0xffff_ffff_ffff_ffffn] as const)
    : ([shortDescriptor, 0xffff_ffffn] as const)
  if (length !== layout.size) return invalidAt(header.descriptorLengthAt)
  if (list.length < at + length) return cutShort
  const blocks = BigInt(layout.get.numberOfLogicalBlocks(list, at))
  if (blocks !== 0n && blocks !== all && blocks !== BigInt(lu.sizeBlocks)) return invalidAt(at)
  const blockBytes = layout.get.logicalBlockLength(list, at)
  return blockBytes === lu.blockBytes ? undefined : invalidAt(at + (layout === longDescriptor ? 12 : 5))
}

function pageCodeAt(list: Buffer, at: number): number {
  return list[at]! & 0x3f
}

/** The length of the page at `at` with its header, or what is wrong with it. */
function faultOrLength(list: Buffer, at: number, lu: LogicalUnit): Outcome | number {
  const page = modePage(pageCodeAt(list, at))
  // There are no subpages, so SPF is zero.
  if ((list[at]! & 0x40) !== 0) return invalidAt(at, 6)
  if (page === undefined) return invalidAt(at, 5)
  if (at + 1 >= list.length) return cutShort
  const current = page.current(lu)
  if (list[at + 1] !== current[1]) return invalidAt(at + 1)
  if (at + current.length > list.length) return cutShort
  for (let byte = 2; byte < current.length; byte++) {
    const wrong = (list[at + byte]! ^ current[byte]!) & ~page.changeable[byte]! & 0xff
    if (wrong !== 0) return invalidAt(at + byte, 31 - Math.clz32(wrong))
  }
  return current.length
}
