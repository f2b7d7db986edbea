// Opcodes of RFC 7143 [§11.2.1.2] and the tag that names no task. Bit 0x20 is set in everything a target sends.

export const Opcode = {
  nopOut: 0x00,
  scsiCommand: 0x01,
  taskManagementRequest: 0x02,
  loginRequest: 0x03,
  textRequest: 0x04,
  dataOut: 0x05,
  logoutRequest: 0x06,
  snackRequest: 0x10,
  nopIn: 0x20,
  scsiResponse: 0x21,
  taskManagementResponse: 0x22,
  loginResponse: 0x23,
  textResponse: 0x24,
  dataIn: 0x25,
  logoutResponse: 0x26,
  r2t: 0x31,
  asyncMessage: 0x32,
  reject: 0x3f,
} as const

export type Opcode = (typeof Opcode)[keyof typeof Opcode]

/** Task tag or transfer tag that stands for "none" [7143 §11.2.1.8]. */
export const RESERVED_TAG = 0xffffffff

const names = new Map<number, string>(Object.entries(Opcode).map(([name, code]) => [code, name]))

/** Name of an opcode (0 to 0x3f) for logs; the number in hex for one that the standard does not have. */
export function opcodeName(opcode: number): string {
  return names.get(opcode) ?? `0x${opcode.toString(16).padStart(2, '0')}`
}
