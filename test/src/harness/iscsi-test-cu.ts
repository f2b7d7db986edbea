// libiscsi's conformance suite, run family by family, and its report read.
//
// Its report is text: `Suite: S`, then for each test `Test: T ...` and `passed` or `FAILED` with the assertions that did not
// hold; `[SKIPPED] why` may come between, and a skipped test is reported as passed after all. So a skip has to be looked for.

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

/** Names of all tests of a family, as `Suite.Test`. */
export async function listTests(): Promise<string[]> {
  const { stdout } = await runProgram('iscsi-test-cu', ['--list'])
  return stdout.split('\n').flatMap(line => /^ALL\.(\S+\.\S+)$/.exec(line.trim())?.[1] ?? [])
}

/**
 * Runs one suite, destructive tests too.
 * @param urls of one logical unit; a second address of the same unit for the multipath tests
 */
export async function runSuite(suite: string, urls: readonly string[]): Promise<Verdict[]> {
  const args = ['--dataloss', '--allow-sanitize', '--verbose', '--test', `ALL.${suite}`, ...urls]
  const { code, stdout, stderr } = await runProgram('iscsi-test-cu', args, { timeoutMs: 120_000 })
  const verdicts = parseReport(stdout)
  if (verdicts.length > 0 && !/Run Summary/.test(stdout)) {
    const last = verdicts.pop()
    if (last)
      verdicts.push({ ...last, passed: false, faults: [...last.faults, `the suite ended with code ${code}`, stderr] })
  }
  return verdicts
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
    // What follows the verdict, but for the assertions, belongs to the suite's way out and not to the test.
    const [, before = '', verdict = ''] = /^([\s\S]*?)(?<=^|\.{3})(passed|FAILED)/m.exec(test) ?? []
    const skipped = [...before.matchAll(/\[SKIPPED\]\s*(.*)/g)].map(match => match[1] ?? '')
    const faults = [...test.matchAll(/^ {4}\d+\. (.*)$/gm)].map(match => match[1] ?? '')
    return {
      name: `${suite}.${test.split(' ', 1)[0]}`,
      passed: verdict === 'passed' && faults.length === 0,
      skipped: [...new Set(skipped)],
      faults: faults.slice(0, 20),
    }
  })
}
