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
  'ORWRITE(16)': 'OrWrite',
  'PERSISTENT RESERVE IN/READ KEYS': 'PrinReadKeys',
  'PERSISTENT RESERVE IN/REPORT CAPABILITIES': 'PrinReportCapabilities',
  'PERSISTENT RESERVE OUT/CLEAR': 'ProutClear',
  'PERSISTENT RESERVE OUT/PREEMPT': 'ProutPreempt',
  'PERSISTENT RESERVE OUT/REGISTER': 'ProutRegister',
  'PERSISTENT RESERVE OUT/RESERVE': 'ProutReserve',
  'PREVENT ALLOW MEDIUM REMOVAL': 'PreventAllow',
  'REPORT SUPPORTED OPERATION CODES': 'ReportSupportedOpcodes',
  'WRITE ATOMIC(16)': 'WriteAtomic16',
}

const FAMILIES: Readonly<Record<string, string>> = { sanitize: 'Sanitize', receivecopy: 'ReceiveCopyResults' }

/** Where tests of commands are, with all folders below. */
const TESTS = ['packages/scsi/src', 'test/src/protocol']

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
      files: sources.filter(source => cites(source, name, spec)).map(({ file }) => file),
    }))
  })
}

function suitesOf(name: string, suites: readonly string[]): string[] {
  const wanted = (SUITES_OF[name] ?? name.replace(/\bAND\b(?=.*VERIFY)/, '')).replace(/[^A-Za-z0-9]/g, '').toLowerCase()
  // Families whose commands have an action in their names.
  const family = Object.entries(FAMILIES).find(([prefix]) => wanted.startsWith(prefix))?.[1] ?? wanted
  return suites.filter(suite => suite.toLowerCase() === family.toLowerCase())
}

/** Whether a test names the command or cites its section. */
function cites({ text, sections }: Source, name: string, spec: string): boolean {
  return text.includes(name) || sections.has(spec)
}

/** The sections that a text cites, as `SBC-3 §5.11`, from lists and ranges too: `[SBC-3 §5.11-5.13, §5.33, SPC-4 §6.47]`. */
function citedSections(text: string): Set<string> {
  const cited = new Set<string>()
  for (const [, list = ''] of text.matchAll(/\[([^\]\n]*§[^\]\n]*)\]/g)) {
    let standard = ''
    for (const item of list.split(', ')) {
      const [, own, chapter, first, last] = /^(?:(\S+) )?§((?:\d+\.)*)(\d+)(?:-(?:\d+\.)*(\d+))?$/.exec(item) ?? []
      standard = own ?? standard
      for (let section = Number(first); section <= Number(last ?? first); section++)
        cited.add(`${standard} §${chapter}${section}`)
    }
  }
  return cited
}

interface Source {
  readonly file: string
  readonly text: string
  readonly sections: ReadonlySet<string>
}

function testSources(): Source[] {
  return TESTS.flatMap(folder =>
    readdirSync(join(ROOT, folder), { encoding: 'utf8', recursive: true })
      .filter(file => file.endsWith('.test.ts'))
      .map(file => {
        const text = readFileSync(join(ROOT, folder, file), 'utf8')
        return { file: basename(file, '.test.ts'), text, sections: citedSections(text) }
      }),
  )
}

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0')
