// REPORT and SET TARGET PORT GROUPS [SPC-4 §6.37, §6.45, §5.15]: asymmetric access. All ports of the target are one group that is always
// active/optimized, so initiators that look for it find one good path, and the only state that can be set is the one that is.

import { bit, bits, layout, u8, u16, u32 } from '@scsipub/bytes'
import { cdb } from '../cdb.js'
import type { Command } from '../command.js'
import type { Outcome } from '../outcome.js'
import { checkCondition, dataIn, good, invalidFieldInCdb } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import { relativePort, TARGET_PORT_GROUP } from './target-port.js'

export const reportTargetPortGroupsCdb = cdb(12, {
  parameterDataFormat: bits(1, 5, 3),
  serviceAction: bits(1, 0, 5),
  allocationLength: u32(6),
})
export const setTargetPortGroupsCdb = cdb(12, { serviceAction: bits(1, 0, 5), parameterListLength: u32(6) })

const ACTIVE_OPTIMIZED = 0x0

const lengthHeader = layout(4, { returnDataLength: u32(0) })
const extendedHeader = layout(8, { returnDataLength: u32(0), formatType: bits(4, 4, 3), implicitTransitionTime: u8(5) })
/** One group and its only port [SPC-4 §6.37]. AO_SUP: it can be active/optimized, and nothing else. */
const groupDescriptor = layout(12, {
  pref: bit(0, 7),
  asymmetricAccessState: bits(0, 0, 4),
  aoSup: bit(1, 0),
  targetPortGroup: u16(2),
  statusCode: u8(5),
  targetPortCount: u8(7),
  relativeTargetPortIdentifier: u16(10),
})
const setDescriptor = layout(4, { asymmetricAccessState: bits(0, 0, 4), targetPortGroup: u16(2) })
const setHeader = layout(4, {})

/** One group, with the plain or the extended header; RETURN DATA LENGTH does not count itself. */
export const reportTargetPortGroups: Command['run'] = (cdb, offset, { target }) => {
  const { get, pointer } = reportTargetPortGroupsCdb
  const format = get.parameterDataFormat(cdb, offset)
  if (format > 1) return invalidFieldInCdb(pointer.parameterDataFormat)
  const group = groupDescriptor.encode({
    asymmetricAccessState: ACTIVE_OPTIMIZED,
    aoSup: true,
    targetPortGroup: TARGET_PORT_GROUP,
    targetPortCount: 1,
    relativeTargetPortIdentifier: relativePort(target),
  })
  const returnDataLength = (format === 1 ? extendedHeader.size : lengthHeader.size) - 4 + group.length
  const header =
    format === 1
      ? extendedHeader.encode({ returnDataLength, formatType: 1 })
      : lengthHeader.encode({ returnDataLength })
  return dataIn(Buffer.concat([header, group]), get.allocationLength(cdb, offset))
}

/** GOOD for active/optimized of the one group, which changes nothing; any other state or group is refused [SPC-4 §6.45]. */
export const setTargetPortGroups: Command['run'] = (cdb, offset) => {
  const lengthBytes = setTargetPortGroupsCdb.get.parameterListLength(cdb, offset)
  // No list is not an error [SPC-4 §6.45].
  if (lengthBytes === 0) return good
  const wrongLength = lengthBytes < setHeader.size || (lengthBytes - setHeader.size) % setDescriptor.size !== 0
  if (wrongLength || lengthBytes > MAX_LIST_BYTES) return checkCondition(senseCodes.parameterListLengthError)
  return {
    kind: 'parameterOut',
    lengthBytes,
    apply: list => (list.length < lengthBytes ? checkCondition(senseCodes.parameterListLengthError) : check(list)),
  }
}

/** There is one group; what names more than a few descriptors is not meant for this target. */
const MAX_LIST_BYTES = 4096

function check(list: Buffer): Outcome {
  const invalid = (byte: number, bit?: number): Outcome =>
    checkCondition(senseCodes.invalidFieldInParameterList, {
      field: { in: 'parameterList', byte, ...(bit === undefined ? {} : { bit }) },
    })
  for (let at = setHeader.size; at < list.length; at += setDescriptor.size) {
    if (setDescriptor.get.asymmetricAccessState(list, at) !== ACTIVE_OPTIMIZED) return invalid(at, 3)
    if (setDescriptor.get.targetPortGroup(list, at) !== TARGET_PORT_GROUP) return invalid(at + 2)
  }
  return good
}
