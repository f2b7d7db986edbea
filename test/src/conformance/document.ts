// docs/conformance.md, from what a run gave. Nothing in it depends on the time or the machine, so that the document can be
// compared with the next run.

import type { Merged } from '../harness/merge-verdicts.js'
import type { CommandRow } from './commands.js'
import type { KeyReport } from './key-exchanges.js'
import { failedBy, othersOf, VERSIONS } from './other-targets.js'

export interface Conformance {
  readonly commands: readonly CommandRow[]
  readonly keys: readonly KeyReport[]
  readonly libiscsi: readonly Merged[]
  /** The kinds of units, each with what is particular about it. */
  readonly units: readonly { readonly name: string; readonly what: string }[]
}

/** The whole document. */
export function conformanceDocument(run: Conformance): string {
  const passed = run.libiscsi.filter(gone).length
  const failed = run.libiscsi.filter(({ failedOn }) => Object.keys(failedOn).length > 0).length
  const lines = [
    '# Conformance',
    '',
    'Written by `npm run conformance`; the test run fails when it is not what the run gives.',
    '',
    `Beside scsipub stand ${VERSIONS}. A question mark: not established.`,
    '',
    '## SCSI commands',
    '',
    'Every command of the command table (`packages/scsi`). REPORT SUPPORTED OPERATION CODES reads the same table, and',
    '`every-command` holds all 256 operation codes and 32 service actions against its answer on the wire. The second last column counts',
    "libiscsi's tests of the command: gone through, of all. The last one names the test files that are about it.",
    '',
    ...table(
      ['code', 'command', 'section', 'LIO', 'tgt', 'libiscsi', 'own tests'],
      run.commands.map(row => commandCells(row, run.libiscsi)),
    ),
    '',
    '## Keys of the login and full feature phase',
    '',
    'Every key of RFC 7143 §13, offered in logins of their own: what was offered → what was answered. `none`: the key needs no answer.',
    '',
    ...table(
      ['key', 'section', 'value', 'offered → answered'],
      run.keys.map(({ name, spec, rule, exchanges }) => [
        `\`${name}\``,
        spec,
        rule,
        exchanges.map(({ offered, answered }) => `${offered} → ${answered}`).join(' · ') || 'see `login`, `requests`',
      ]),
    ),
    '',
    "## libiscsi's conformance suite",
    '',
    'iscsi-test-cu 1.19.0 on these units:',
    '',
    ...run.units.map(({ name, what }) => `- ${name}: ${what}`),
    '',
    `${passed} of ${run.libiscsi.length} tests gone through on some unit, ${failed} failed on some. LIO failed 16 of 230, tgt 13; both`,
    'skip what they do not have.',
    '',
    ...table(['suite', 'gone through', 'on', 'failed by LIO', 'failed by tgt'], suiteCells(run.libiscsi)),
    '',
    'Nothing of the suite is left out.',
  ]
  return `${lines.join('\n')}\n`
}

const gone = ({ passedOn, failedOn }: Merged): boolean => passedOn.length > 0 && Object.keys(failedOn).length === 0
const suiteOf = ({ name }: Merged): string => name.split('.')[0] ?? name

function commandCells({ code, name, spec, suites, files }: CommandRow, libiscsi: readonly Merged[]): string[] {
  const tests = libiscsi.filter(merged => suites.includes(suiteOf(merged)))
  const { lio, tgt } = othersOf(name)
  const count = tests.length === 0 ? '' : `${tests.filter(gone).length} of ${tests.length}`
  return [code, name, spec, lio, tgt, count, [...files].sort().join(', ')]
}

function suiteCells(libiscsi: readonly Merged[]): string[][] {
  const suites = [...new Set(libiscsi.map(suiteOf))]
  return suites.map(suite => {
    const tests = libiscsi.filter(merged => suiteOf(merged) === suite)
    const units = new Set(tests.flatMap(({ passedOn }) => passedOn))
    const { lio = {}, tgt = {} } = failedBy
    return [
      suite,
      `${tests.filter(gone).length} of ${tests.length}`,
      [...units].join(', '),
      String(lio[suite] ?? ''),
      String(tgt[suite] ?? ''),
    ]
  })
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)]
}
