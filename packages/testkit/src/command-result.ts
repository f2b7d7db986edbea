// What became of a SCSI command: everything the target sent for it, put together.

import { layout, u8, u16 } from '@scsipub/bytes'
import type { DataIn, R2t, ScsiResponse } from '@scsipub/iscsi'

export interface CommandResult {
  /** SCSI status. */
  readonly status: number
  /** `key/asc/ascq` in hex, `5/21/00`; undefined without sense data. */
  readonly sense: string | undefined
  readonly senseData: Buffer | undefined
  /** Data of all Data-In PDUs at their offsets. */
  readonly data: Buffer
  readonly dataIns: readonly DataIn[]
  readonly r2ts: readonly R2t[]
  /** Undefined when the status came with the last Data-In PDU. */
  readonly response: ScsiResponse | undefined
  /** Residual counts in bytes [7143 §11.4.5]. */
  readonly overflow: number
  readonly underflow: number
  readonly statSn: number
}

const fixedSense = layout(14, { responseCode: u8(0), key: u8(2), asc: u8(12), ascq: u8(13) })
const descriptorSense = layout(4, { responseCode: u8(0), key: u8(1), asc: u8(2), ascq: u8(3) })
const senseLength = layout(2, { length: u16(0) })

/**
 * The sense data in the data segment of a SCSI Response [7143 §11.4.7.2].
 * @throws Error when the lengths do not agree
 */
export function senseIn(data: Buffer): Buffer | undefined {
  if (data.length === 0) return undefined
  const { length } = senseLength.decode(data)
  if (length + 2 !== data.length) throw new Error(`sense of ${length} bytes in a segment of ${data.length}`)
  return data.subarray(2)
}

/**
 * Sense data as text, in fixed or descriptor format.
 * @throws Error when it has another format [SPC-4 §4.5.2, §4.5.3]
 */
export function senseText(sense: Buffer): string {
  const format = (sense[0] ?? 0) & 0x7f
  if (format !== 0x70 && format !== 0x72) throw new Error(`sense data with response code ${format.toString(16)}`)
  const { key, asc, ascq } = (format === 0x72 ? descriptorSense : fixedSense).decode(sense)
  const hex = (value: number) => value.toString(16).padStart(2, '0')
  return `${(key & 0x0f).toString(16)}/${hex(asc)}/${hex(ascq)}`
}
