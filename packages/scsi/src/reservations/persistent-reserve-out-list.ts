// Parameter lists of PERSISTENT RESERVE OUT [SPC-4 §6.16.3, §6.16.4].
//
//   basic                                          REGISTER AND MOVE
//   0-7    RESERVATION KEY                         0-7    RESERVATION KEY
//   8-15   SERVICE ACTION RESERVATION KEY          8-15   SERVICE ACTION RESERVATION KEY
//   20     SPEC_I_PT, ALL_TG_PT, APTPL             17     UNREG, APTPL
//   24-27  TRANSPORTID PARAMETER DATA LENGTH       18-19  RELATIVE TARGET PORT IDENTIFIER
//   28-    TransportIDs, with SPEC_I_PT only       20-23  TRANSPORTID PARAMETER DATA LENGTH
//                                                  24-    TransportID
//
// A TransportID of format 00b stands for all ports of a node that the unit knows of, which are those that are logged in. Who they are is the
// caller's to find out.

import { bit, bytes, layout, u16, u32 } from '@scsipub/bytes'
import type { Outcome } from '../outcome.js'
import { checkCondition } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import type { ReservationAction } from './reservation-action.js'
import { decodeTransportId } from './transport-id.js'

const keys = { reservationKey: bytes(0, 8), serviceActionReservationKey: bytes(8, 8) }

export const basicList = layout(24, { ...keys, specIPt: bit(20, 3), allTgPt: bit(20, 2), aptpl: bit(20, 0) })
export const moveList = layout(24, {
  ...keys,
  unreg: bit(17, 1),
  aptpl: bit(17, 0),
  relativeTargetPortIdentifier: u16(18),
  transportIdLength: u32(20),
})
const additional = layout(4, { transportIdLength: u32(0) })

/** More than all registrations that there can be. */
export const MAX_PERSISTENT_RESERVE_OUT_BYTES = 0x1_0000
const SPEC_I_PT = { byte: 20, bit: 3 } as const
const TRANSPORT_IDS_AT = basicList.size + additional.size

const cutShort = checkCondition(senseCodes.parameterListLengthError)

function invalidAt(byte: number, bitIndex?: number): Outcome {
  const field = { in: 'parameterList', byte, ...(bitIndex === undefined ? {} : { bit: bitIndex }) } as const
  return checkCondition(senseCodes.invalidFieldInParameterList, { field })
}

function hex(key: Buffer): string {
  return key.toString('hex')
}

/** RESERVATION KEY and SERVICE ACTION RESERVATION KEY of either list. */
function keysOf(list: Buffer): { key: string; newKey: string } {
  return {
    key: hex(basicList.get.reservationKey(list, 0)),
    newKey: hex(basicList.get.serviceActionReservationKey(list, 0)),
  }
}

/** REGISTER, and with `ignoreKey` REGISTER AND IGNORE EXISTING KEY; or why the list is refused. An outcome `reserveOut` where nodes are named. */
export function registerAction(list: Buffer, ignoreKey: boolean): ReservationAction | Outcome {
  if (list.length < basicList.size) return cutShort
  const { specIPt, allTgPt, aptpl } = basicList.decode(list)
  const register = { name: 'register', ...keysOf(list), ignoreKey, persist: aptpl, allTargetPorts: allTgPt } as const
  if (!specIPt) return list.length === basicList.size ? register : cutShort
  if (ignoreKey) return invalidAt(SPEC_I_PT.byte, SPEC_I_PT.bit)
  const named = transportIds(list)
  if ('kind' in named) return named
  const action = { ...register, others: named.ports }
  return named.nodes.length === 0 ? action : { kind: 'reserveOut', action, nodes: named.nodes }
}

/** The basic list for all other actions, which have no TransportIDs. */
export function keysAction(list: Buffer): { key: string; newKey: string } | Outcome {
  if (list.length !== basicList.size) return cutShort
  return basicList.get.specIPt(list, 0) ? invalidAt(SPEC_I_PT.byte, SPEC_I_PT.bit) : keysOf(list)
}

function transportIds(list: Buffer): { ports: string[]; nodes: string[] } | Outcome {
  if (list.length < TRANSPORT_IDS_AT) return cutShort
  const end = TRANSPORT_IDS_AT + additional.get.transportIdLength(list, basicList.size)
  if (end > list.length) return cutShort
  const ports: string[] = []
  const nodes: string[] = []
  for (let at = TRANSPORT_IDS_AT; at < end; ) {
    const id = decodeTransportId(list.subarray(0, end), at)
    if (id === undefined) return invalidAt(at)
    if ('port' in id) ports.push(id.port)
    else nodes.push(id.node) // [SPC-4 §7.6.4.6]
    at += id.sizeBytes
  }
  return { ports, nodes }
}

/** REGISTER AND MOVE, to a nexus of the port `relativePort`, which is the only one. */
export function moveAction(list: Buffer, relativePort: number): ReservationAction | Outcome {
  if (list.length < moveList.size) return cutShort
  const { unreg, aptpl, relativeTargetPortIdentifier, transportIdLength } = moveList.decode(list)
  if (moveList.size + transportIdLength > list.length) return cutShort
  if (relativeTargetPortIdentifier !== relativePort) return invalidAt(18)
  const id = decodeTransportId(list.subarray(0, moveList.size + transportIdLength), moveList.size)
  // A node has many ports, and only one can be the holder [SPC-4 §6.16.4].
  if (id === undefined || !('port' in id) || id.sizeBytes !== transportIdLength) return invalidAt(moveList.size)
  return { name: 'move', ...keysOf(list), unregister: unreg, persist: aptpl, port: id.port }
}
