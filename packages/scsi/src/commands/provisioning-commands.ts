// Rows of the command table: commands about which blocks the unit holds, and how many.

import type { Command, TableEntry } from '../command.js'
import { getLbaStatus, getLbaStatusCdb } from './get-lba-status.js'
import { sanitizeCdb, sanitizeErase, sanitizeExitFailureMode, sanitizeOverwrite } from './sanitize.js'
import { unmap, unmapCdb } from './unmap.js'
import { writeSame, writeSame10, writeSame16 } from './write-same.js'

const asWrite = { direction: 'out', reserved: 'asWrite', needsMedium: true } as const

/** A fully provisioned unit gives nothing back. */
const on: Command['on'] = ({ thin }) => thin

const sanitizeRow = (
  name: string,
  spec: string,
  direction: Command['direction'],
  run: Command['run'],
  on?: Command['on'],
): Command => ({
  name: `SANITIZE ${name}`,
  spec,
  cdb: sanitizeCdb,
  ...asWrite,
  direction,
  answersSanitizeFailure: true,
  ...(on && { on }),
  run,
})

/** By operation code. */
export const provisioningCommands: Readonly<Record<number, TableEntry>> = {
  0x41: { name: 'WRITE SAME(10)', spec: 'SBC-3 §5.42', cdb: writeSame10, ...asWrite, run: writeSame(writeSame10) },
  0x42: { name: 'UNMAP', spec: 'SBC-3 §5.28', cdb: unmapCdb, ...asWrite, on, run: unmap },
  0x48: {
    name: 'SANITIZE',
    serviceActions: {
      0x01: sanitizeRow('OVERWRITE', 'SBC-3 §5.24.2.2', 'out', sanitizeOverwrite),
      0x02: sanitizeRow('BLOCK ERASE', 'SBC-3 §5.24.2.3', 'none', sanitizeErase('blockErase'), on),
      0x03: sanitizeRow('CRYPTOGRAPHIC ERASE', 'SBC-3 §5.24.2.4', 'none', sanitizeErase('cryptographicErase'), on),
      0x1f: sanitizeRow('EXIT FAILURE MODE', 'SBC-3 §5.24.2.5', 'none', sanitizeExitFailureMode),
    },
  },
  0x93: {
    name: 'WRITE SAME(16)',
    spec: 'SBC-3 §5.43',
    cdb: writeSame16,
    ...asWrite,
    run: writeSame(writeSame16, writeSame16.get.ndob),
  },
}

/** SERVICE ACTION IN (16), 12h. */
export const getLbaStatusRow: Command = {
  name: 'GET LBA STATUS',
  spec: 'SBC-3 §5.6',
  cdb: getLbaStatusCdb,
  direction: 'in',
  reserved: 'asRead',
  needsMedium: true,
  on,
  run: getLbaStatus,
}
