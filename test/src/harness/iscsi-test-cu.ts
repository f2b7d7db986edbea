// libiscsi's conformance suite, run and its report read.
//
// Its report is text: `Suite: S`, then for each test `Test: T ...` and `passed` or `FAILED` with the assertions that did not
// hold; `[SKIPPED] why` may come between, and a skipped test is reported as passed after all. So a skip has to be looked for,
// and some tests give up without that word: `SILENT_SKIPS` knows how. The tool is asked to say every step it takes, since
// some skips are told only then.

import { runProgram } from './run-program.js'

export interface Verdict {
  /** `Suite.Test` */
  readonly name: string
  readonly passed: boolean
  /** Why the suite skipped the test or a part of it. */
  readonly skipped: readonly string[]
  /** The assertions that did not hold, by source line. */
  readonly faults: readonly string[]
}

/** What a test says, or fails to say, when it has done nothing. */
const SILENT_SKIPS: Readonly<Record<string, (text: string) => boolean>> = {
  'ModeSense6.Control-SWP': text => /SWP is not changeable/.test(text),
  'MultipathIO.CompareAndWrite': text => !/Send COMPAREANDWRITE/.test(text),
}

/** Names of all tests of a family, as `Suite.Test`. */
export async function listTests(): Promise<string[]> {
  const { stdout } = await runProgram('iscsi-test-cu', ['--list'])
  return stdout.split('\n').flatMap(line => /^ALL\.(\S+\.\S+)$/.exec(line.trim())?.[1] ?? [])
}

/**
 * Runs a suite, or all of them in one run, destructive tests too.
 * @param suite name of a suite, or of a test as `Suite.Test`; everything unless told
 * @param urls of one logical unit; a second address of the same unit for the multipath tests
 */
export async function runSuite(urls: readonly string[], suite?: string): Promise<Verdict[]> {
  const test = suite === undefined ? 'ALL' : `ALL.${suite}`
  const args = ['--dataloss', '--allow-sanitize', '--verbose', '--Verbose-scsi', '--test', test, ...urls]
  const { code, stdout, stderr } = await runProgram('iscsi-test-cu', args, { timeoutMs: 1_800_000 })
  const verdicts = parseReport(stdout)
  if (/Run Summary/.test(stdout)) return verdicts
  const end = `the tool ended with code ${code} and without a summary`
  const last = verdicts.pop() ?? { name: `${suite ?? 'all'} on ${urls[0]}`, skipped: [], faults: [] }
  return [...verdicts, { ...last, passed: false, faults: [...last.faults, end, (stdout + stderr).slice(-500)] }]
}

/** Reads the report of one or more suites. */
export function parseReport(report: string): Verdict[] {
  const body = report.split(/^Run Summary/m)[0] ?? ''
  return body
    .split(/^Suite: /m)
    .slice(1)
    .flatMap(parseSuite)
}

function parseSuite(text: string): Verdict[] {
  const [head, ...tests] = text.split(/^ {2}Test: /m)
  const suite = head?.trim() ?? ''
  return tests.map(test => {
    const name = `${suite}.${test.split(' ', 1)[0]}`
    // What follows the verdict, but for the assertions, belongs to the suite's way out and not to the test.
    const [, before = test, verdict = ''] = /^([\s\S]*?)(?<=^|\.{3})(passed|FAILED)/m.exec(test) ?? []
    const skipped = [...before.matchAll(/\[SKIPPED\]\s*(.*)/g)].map(match => match[1] ?? '')
    if (skipped.length === 0 && SILENT_SKIPS[name]?.(before)) skipped.push('nothing done, without a word')
    const faults = [...test.matchAll(/^ {4}\d+\. (.*)$/gm)].map(match => match[1] ?? '')
    return {
      name,
      passed: verdict === 'passed' && faults.length === 0,
      skipped: [...new Set(skipped)],
      faults: faults.slice(0, 20),
    }
  })
}
