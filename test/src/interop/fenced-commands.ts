// One line of shell for every command of the command table that a write exclusive reservation keeps others from and that is no query: what a
// fenced node sends, to be refused, and what a registered one sends, to be done. Taken from the table, so that a new command is missed here
// by the test that asks for all of them.
//
// `$d` is the disk, `before` makes ready what the command needs where it is to be done. See linux-tools.ts for the files and functions.

import { commandName, commandTable, conflictsWithReservation } from '@scsipub/scsi'

export interface Way {
  /** Operation code, and service action where there is one: `83/11`. */
  readonly code: string
  readonly name: string
  readonly before?: string
  readonly line: string
}

const LBA = '00 00 00 08'
const LBA_16 = '00 00 00 00 00 00 00 08'

const without = (cdb: string) => `sg_raw $d ${cdb}`
const sends = (bytes: number, file: string, cdb: string) => `sg_raw --send=${bytes} --infile=${file} $d ${cdb}`
const block = (cdb: string) => sends(512, '/tmp/A', cdb)
/** A parameter list, byte by byte. */
const list = (bytes: string, cdb: string) =>
  `{ bytes ${bytes}; } > /tmp/list; ${sends(bytes.split(' ').length, '/tmp/list', cdb)}`

/** EXTENDED COPY of one block: the disk by its NAA designator, twice as source and destination [SPC-4 §6.4]. */
const copy = `{ bytes 01 00 00 20 00 00 00 00 00 00 00 1c 00 00 00 00 e4 00 00 00 01 03 00 10
  bytes $(sed 's/naa.//; s/../& /g' /sys/block/$(basename $d)/device/wwid); bytes 00 00 00 00 00 00 02 00
  bytes 02 00 00 18 00 00 00 00 00 00 00 01 ${LBA_16} 00 00 00 00 00 00 00 10; } > /tmp/list
  ${sends(76, '/tmp/list', '83 00 00 00 00 00 00 00 00 00 00 00 00 4c 00 00')}`

/** A token for one block, in /tmp/token [SPC-4 §6.14]. */
const token = `{ bytes 00 1e 00 00 00 00 00 00 00 00 00 00 00 00 00 10 ${LBA_16} 00 00 00 01 00 00 00 00; } > /tmp/list
  ${sends(32, '/tmp/list', '83 10 00 00 00 00 00 00 00 07 00 00 00 20 00 00')}
  sg_raw --request=1024 --outfile=/tmp/answer $d 84 07 00 00 00 07 00 00 00 00 00 00 04 00 00 00; tail -c 512 /tmp/answer > /tmp/token`
const useToken = `touch /tmp/token; { bytes 02 26 00 00 00 00 00 00 00 00 00 00 00 00 00 00; cat /tmp/token
  bytes 00 00 00 00 00 00 00 10 00 00 00 00 00 00 00 03 00 00 00 01 00 00 00 00; } > /tmp/list; truncate -s 552 /tmp/list
  ${sends(552, '/tmp/list', '83 11 00 00 00 00 00 00 00 08 00 00 02 28 00 00')}`

const lines: Readonly<Record<string, string | { before: string; line: string }>> = {
  '0A': block('0a 00 00 08 01 00'),
  '15': list('00 00 00 00', '15 10 00 00 04 00'),
  '16': without('16 00 00 00 00 00'),
  '1B': without('1b 00 00 00 00 00'),
  '2A': block(`2a 00 ${LBA} 00 00 01 00`),
  '2E': block(`2e 00 ${LBA} 00 00 01 00`),
  '35': without('35 00 00 00 00 00 00 00 00 00'),
  '41': block(`41 00 ${LBA} 00 00 01 00`),
  '42': list(`00 16 00 10 00 00 00 00 ${LBA_16} 00 00 00 01 00 00 00 00`, '42 00 00 00 00 00 00 00 18 00'),
  '48/01': list('01 00 00 04 00 00 00 00', '48 01 00 00 00 00 00 00 08 00'),
  '48/02': without('48 02 00 00 00 00 00 00 00 00'),
  '48/03': without('48 03 00 00 00 00 00 00 00 00'),
  '48/1F': without('48 1f 00 00 00 00 00 00 00 00'),
  '55': list('00 00 00 00 00 00 00 00', '55 10 00 00 00 00 00 00 08 00'),
  '56': without('56 00 00 00 00 00 00 00 00 00'),
  '83/00': copy,
  '83/11': { before: token, line: useToken },
  '89': { before: 'put $d 8 /tmp/A', line: sends(1024, '/tmp/AB', `89 00 ${LBA_16} 00 00 00 01 00 00`) },
  '8A': block(`8a 00 ${LBA_16} 00 00 00 01 00 00`),
  '8B': block(`8b 00 ${LBA_16} 00 00 00 01 00 00`),
  '8E': block(`8e 00 ${LBA_16} 00 00 00 01 00 00`),
  '91': without('91 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00'),
  '93': block(`93 00 ${LBA_16} 00 00 00 01 00 00`),
  '9C': block(`9c 00 ${LBA_16} 00 00 00 01 00 00`),
  'A4/0A': list('00 00 00 00 00 00 00 01', 'a4 0a 00 00 00 00 00 00 00 08 00 00'),
  AA: block(`aa 00 ${LBA} 00 00 00 01 00 00`),
  AE: block(`ae 00 ${LBA} 00 00 00 01 00 00`),
}

/** The ways; `missing`: commands of the table that none of the lines is for. */
export function fencedCommands(): { ways: Way[]; missing: string[] } {
  const ways: Way[] = []
  const missing: string[] = []
  for (const { code, name } of keptOut()) {
    const found = lines[code]
    if (found === undefined) missing.push(`${code} ${name}`)
    else ways.push({ code, name, ...(typeof found === 'string' ? { line: found } : found) })
  }
  return { ways, missing }
}

/** What the table says that others may not send while a disk is reserved for writing, less what only asks. */
function keptOut(): { code: string; name: string }[] {
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(2, '0')
  return Object.entries(commandTable).flatMap(([opcode, entry]) => {
    const commands = 'serviceActions' in entry ? Object.entries(entry.serviceActions) : [[undefined, entry] as const]
    return commands.flatMap(([action, { direction }]) => {
      const cdb = Buffer.alloc(16)
      cdb[0] = Number(opcode)
      cdb[1] = Number(action ?? 0)
      if (direction === 'in' || !conflictsWithReservation(cdb, 0, true)) return []
      const code = hex(Number(opcode)) + (action === undefined ? '' : `/${hex(Number(action))}`)
      return [{ code, name: commandName(cdb, 0) }]
    })
  })
}
