// What a test may say about a command that the initiator sends; what it leaves out is as the standard has it.

import type { WriteShare } from './write-transfer.js'

export interface CommandPdu {
  readonly cdb: Buffer
  readonly lun?: number
  readonly read?: boolean
  readonly write?: boolean
  /** EDTL in bytes; 0 unless told. */
  readonly expectedDataTransferLength?: number
  /** F; set unless told. */
  readonly final?: boolean
  readonly immediate?: boolean
  readonly attr?: number
  /** Immediate data. */
  readonly data?: Buffer
  /** In place of the next ones. */
  readonly cmdSn?: number
  readonly initiatorTaskTag?: number
}

export interface WriteOptions {
  readonly lun?: number
  /** EDTL, when it should not be the length of the data. */
  readonly expectedDataTransferLength?: number
  /** How much goes without being asked for; what the session allows unless told. */
  readonly share?: WriteShare
  /** In place of the next one. */
  readonly cmdSn?: number
}
