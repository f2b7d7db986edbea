// The commands of the command table, each with the tests that are about it: suites of libiscsi by their names, and test files
// of this repository that cite the command's section. A command that no test is about does not belong in the table.

import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { commandTable } from '@scsipub/scsi'
import { ROOT } from '../repository.js'

export interface CommandRow {
  /** Operation code, and service action where there is one: `9E/10`. */
  readonly code: string
  readonly name: string
  readonly spec: string
  /** Suites of libiscsi. */
  readonly suites: readonly string[]
  /** Names of test files, without `.test.ts`. */
  readonly files: readonly string[]
}

/** Suites whose names do not come from the command's; the ending is that of the command's length. */
const SUITES_OF: Readonly<Record<string, string>> = {
  'EXTENDED COPY(LID1)': 'ExtendedCopy',
  'PREVENT ALLOW MEDIUM REMOVAL': 'PreventAllow',
  'REPORT SUPPORTED OPERATION CODES': 'ReportSupportedOpcodes',
  'WRITE ATOMIC(16)': 'WriteAtomic16',
}

const TESTS = ['packages/scsi/src', 'packages/scsi/src/commands', 'test/src/protocol']

/** @param suites names of all suites of libiscsi */
export function commandRows(suites: readonly string[]): CommandRow[] {
  const sources = testSources()
  return Object.entries(commandTable).flatMap(([opcode, entry]) => {
    const code = hex(Number(opcode))
    const commands =
      'serviceActions' in entry
        ? Object.entries(entry.serviceActions).map(([action, command]) => ({
            code: `${code}/${hex(Number(action))}`,
            command,
          }))
        : [{ code, command: entry }]
    return commands.map(({ code, command: { name, spec } }) => ({
      code,
      name,
      spec,
      suites: suitesOf(name, suites),
      files: sources.filter(({ text }) => cites(text, name, spec)).map(({ file }) => file),
    }))
  })
}

function suitesOf(name: string, suites: readonly string[]): string[] {
  const wanted = (SUITES_OF[name] ?? name.replace(/\bAND\b(?=.*VERIFY)/, '')).replace(/[^A-Za-z0-9]/g, '').toLowerCase()
  // SANITIZE, EXTENDED COPY and RECEIVE COPY RESULTS come with an action in their names.
  const family = ['sanitize', 'receivecopyresults'].find(prefix => wanted.startsWith(prefix)) ?? wanted
  return suites.filter(suite => suite.toLowerCase() === family)
}

/** Whether a test names the command, or its section as `[SBC-3 §5.11]` or in a list of such. */
function cites(text: string, name: string, spec: string): boolean {
  if (text.includes(name)) return true
  const [standard = '', section = ''] = spec.split(' ')
  return new RegExp(`\\[[^\\]]*${standard}[^\\]]*${section.replace(/\./g, '\\.')}(?![.0-9])[^\\]]*\\]`).test(text)
}

function testSources(): { file: string; text: string }[] {
  return TESTS.flatMap(folder =>
    readdirSync(join(ROOT, folder))
      .filter(file => file.endsWith('.test.ts'))
      .map(file => ({ file: basename(file, '.test.ts'), text: readFileSync(join(ROOT, folder, file), 'utf8') })),
  )
}

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0')
