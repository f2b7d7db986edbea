// PERSISTENT RESERVE IN and OUT as an initiator sends them, and what it reads in the answers [SPC-4 §6.15, §6.16]. Written from the standard's
// tables, without a look at the target's.

import { bit, bits, bytes, layout, u8, u16, u32 } from '@scsipub/bytes'
import type { CommandResult } from './command-result.js'
import type { Initiator } from './initiator.js'

/** Service actions of PERSISTENT RESERVE OUT. */
export const prOut = {
  register: 0,
  reserve: 1,
  release: 2,
  clear: 3,
  preempt: 4,
  preemptAndAbort: 5,
  registerAndIgnoreExistingKey: 6,
  registerAndMove: 7,
  replaceLostReservation: 8,
} as const

const outCdb = layout(16, {
  opcode: u8(0),
  action: u8(1),
  scope: bits(2, 4, 4),
  type: bits(2, 0, 4),
  lengthBytes: u32(5),
})
const inCdb = layout(16, { opcode: u8(0), action: u8(1), allocationLength: u16(7) })
const basicList = layout(24, {
  key: bytes(0, 8),
  serviceActionKey: bytes(8, 8),
  specIPt: bit(20, 3),
  allTgPt: bit(20, 2),
  aptpl: bit(20, 0),
})
const moveList = layout(24, {
  key: bytes(0, 8),
  serviceActionKey: bytes(8, 8),
  unreg: bit(17, 1),
  aptpl: bit(17, 0),
  relativeTargetPort: u16(18),
  transportIdBytes: u32(20),
})
const idsLength = layout(4, { transportIdBytes: u32(0) })

export interface PrOutFields {
  /** RESERVATION KEY and SERVICE ACTION RESERVATION KEY, as numbers. */
  readonly key?: number
  readonly serviceActionKey?: number
  readonly scope?: number
  readonly type?: number
  readonly aptpl?: boolean
  readonly allTgPt?: boolean
  /** With SPEC_I_PT: ports by name, and nodes. */
  readonly ports?: readonly string[]
  readonly nodes?: readonly string[]
  /** REGISTER AND MOVE: the new holder by name, and whether the old one is unregistered. */
  readonly to?: string
  /** `to` is the name of a node. */
  readonly toNode?: boolean
  readonly unreg?: boolean
  readonly relativeTargetPort?: number
}

function keyOf(key: number): Buffer {
  const buffer = Buffer.alloc(8)
  buffer.writeBigUInt64BE(BigInt(key))
  return buffer
}

/** TransportID of an iSCSI port, format 01b, or of a node, format 00b [SPC-4 §7.6.4.6]. */
export function transportId(name: string, format: 'port' | 'node' = 'port'): Buffer {
  const text = Buffer.alloc(Math.max(20, (Buffer.byteLength(name) + 4) & ~3))
  text.write(name)
  const head = Buffer.from([format === 'port' ? 0x45 : 0x05, 0, 0, text.length])
  return Buffer.concat([head, text])
}

/** The parameter list of a service action. */
export function prOutList(action: number, fields: PrOutFields): Buffer {
  const { key = 0, serviceActionKey = 0, aptpl = false, ports, nodes } = fields
  const common = { key: keyOf(key), serviceActionKey: keyOf(serviceActionKey), aptpl }
  if (action === prOut.registerAndMove) {
    const id = transportId(fields.to ?? '', fields.toNode === true ? 'node' : 'port')
    const { unreg = false, relativeTargetPort = 1 } = fields
    return Buffer.concat([moveList.encode({ ...common, unreg, relativeTargetPort, transportIdBytes: id.length }), id])
  }
  const list = basicList.encode({
    ...common,
    allTgPt: fields.allTgPt ?? false,
    specIPt: (ports ?? nodes) !== undefined,
  })
  if ((ports ?? nodes) === undefined) return list
  const named = [
    ...(ports ?? []).map(port => transportId(port)),
    ...(nodes ?? []).map(node => transportId(node, 'node')),
  ]
  const ids = Buffer.concat(named)
  return Buffer.concat([list, idsLength.encode({ transportIdBytes: ids.length }), ids])
}

/** Sends PERSISTENT RESERVE OUT. */
export function persistentReserveOut(
  initiator: Initiator,
  action: number,
  fields: PrOutFields = {},
  lun = 0,
): Promise<CommandResult> {
  const list = prOutList(action, fields)
  const { scope = 0, type = 0 } = fields
  const cdb = outCdb.encode({ opcode: 0x5f, action, scope, type, lengthBytes: list.length })
  return initiator.executeWrite(cdb, list, { lun })
}

/** Sends PERSISTENT RESERVE IN; `room` is allocation length and EDTL in bytes. */
export function persistentReserveIn(
  initiator: Initiator,
  action: number,
  { room = 4096, lun = 0 }: { room?: number; lun?: number } = {},
): Promise<CommandResult> {
  return initiator.executeRead(inCdb.encode({ opcode: 0x5e, action, allocationLength: room }), room, lun)
}

/** READ KEYS. @throws Error unless GOOD and of the length that it says */
export async function readKeys(initiator: Initiator, lun = 0): Promise<{ generation: number; keys: number[] }> {
  const { data, generation } = await withGeneration(initiator, 0, lun)
  const keys: number[] = []
  for (let at = 0; at < data.length; at += 8) keys.push(Number(data.readBigUInt64BE(at)))
  return { generation, keys }
}

/** READ RESERVATION. @throws Error unless GOOD and of the length that it says */
export async function readReservation(
  initiator: Initiator,
  lun = 0,
): Promise<{ key: number; scope: number; type: number } | undefined> {
  const { data } = await withGeneration(initiator, 1, lun)
  if (data.length === 0) return undefined
  if (data.length !== 16) throw new Error(`READ RESERVATION gave ${data.length} bytes behind its header`)
  return { key: Number(data.readBigUInt64BE(0)), scope: data[13]! >> 4, type: data[13]! & 0xf }
}

export interface FullStatus {
  readonly key: number
  readonly holder: boolean
  readonly allTgPt: boolean
  readonly type: number
  readonly relativeTargetPort: number
  /** Text of the TransportID. */
  readonly port: string
}

/** READ FULL STATUS. @throws Error unless GOOD and of the length that it says */
export async function readFullStatus(initiator: Initiator, lun = 0): Promise<FullStatus[]> {
  const { data } = await withGeneration(initiator, 3, lun)
  const all: FullStatus[] = []
  for (let at = 0; at < data.length; ) {
    const idBytes = data.readUInt32BE(at + 20)
    const id = data.subarray(at + 24, at + 24 + idBytes)
    if (id[0] !== 0x45 || id.readUInt16BE(2) !== idBytes - 4) throw new Error(`no TransportID: ${id.toString('hex')}`)
    all.push({
      key: Number(data.readBigUInt64BE(at)),
      holder: (data[at + 12]! & 1) !== 0,
      allTgPt: (data[at + 12]! & 2) !== 0,
      type: data[at + 13]! & 0xf,
      relativeTargetPort: data.readUInt16BE(at + 18),
      port: id.toString('utf8', 4, id.indexOf(0, 4)),
    })
    at += 24 + idBytes
  }
  return all
}

async function withGeneration(
  initiator: Initiator,
  action: number,
  lun: number,
): Promise<{ data: Buffer; generation: number }> {
  const { status, sense, data } = await persistentReserveIn(initiator, action, { lun })
  if (status !== 0) throw new Error(`PERSISTENT RESERVE IN ended with status ${status} ${sense ?? ''}`)
  if (data.length !== 8 + data.readUInt32BE(4))
    throw new Error(`${data.length} bytes, but ${data.readUInt32BE(4)} + 8 announced`)
  return { generation: data.readUInt32BE(0), data: data.subarray(8) }
}
