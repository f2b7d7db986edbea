// The flash that UEFI firmware keeps its variables in, with variables of ours: Debian's empty store of OVMF, filled as the
// firmware itself fills it (a firmware volume that holds one store of authenticated variables, one after the other).

import { readFileSync } from 'node:fs'

export interface UefiVariable {
  /** Vendor GUID, as it is written. */
  readonly vendor: string
  readonly name: string
  readonly data: Buffer
}

const EMPTY_STORE = '/usr/share/OVMF/OVMF_VARS_4M.fd'
/** Header of the firmware volume, then that of the store. */
const FIRST_VARIABLE = 0x48 + 28
const HEADER = 60
const VARIABLE = 0x55aa
const ADDED = 0x3f
const NON_VOLATILE_AT_BOOT = 3

/** The content of the flash. */
export function uefiVariables(variables: readonly UefiVariable[]): Buffer {
  const flash = readFileSync(EMPTY_STORE)
  let at = FIRST_VARIABLE
  for (const { vendor, name, data } of variables) {
    const nameBytes = Buffer.from(`${name}\0`, 'utf16le')
    const header = Buffer.alloc(HEADER)
    header.writeUInt16LE(VARIABLE, 0)
    header[2] = ADDED
    header.writeUInt32LE(NON_VOLATILE_AT_BOOT, 4)
    header.writeUInt32LE(nameBytes.length, 36)
    header.writeUInt32LE(data.length, 40)
    guidBytes(vendor).copy(header, 44)
    Buffer.concat([header, nameBytes, data]).copy(flash, at)
    at = (at + HEADER + nameBytes.length + data.length + 3) & ~3
  }
  return flash
}

/** A GUID in memory: its first three parts are little-endian. */
function guidBytes(guid: string): Buffer {
  const bytes = Buffer.from(guid.replaceAll('-', ''), 'hex')
  for (const [from, to] of [
    [0, 4],
    [4, 6],
    [6, 8],
  ]) {
    bytes.subarray(from, to).reverse()
  }
  return bytes
}
