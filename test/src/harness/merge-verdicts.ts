// What a conformance suite says of several kinds of logical units, test by test: no unit may fail a test, and a test counts as
// passed when some unit has gone through all of it. What no unit goes through is told with the reasons that the tool gave.

import type { Verdict } from './iscsi-test-cu.js'

export interface Merged {
  /** `Suite.Test` */
  readonly name: string
  /** The units that went through all of the test. */
  readonly passedOn: readonly string[]
  /** By unit that did not get through: the assertions that did not hold. */
  readonly failedOn: Readonly<Record<string, readonly string[]>>
  /** By unit that skipped the test or a part of it: why. */
  readonly skippedOn: Readonly<Record<string, readonly string[]>>
}

/**
 * @param names of all tests there are
 * @param runs by kind of unit; a test that is not in any run has empty lists
 */
export function mergeVerdicts(names: readonly string[], runs: Readonly<Record<string, readonly Verdict[]>>): Merged[] {
  return names.map(name => {
    const passedOn: string[] = []
    const failedOn: Record<string, readonly string[]> = {}
    const skippedOn: Record<string, readonly string[]> = {}
    for (const [unit, verdicts] of Object.entries(runs)) {
      for (const { passed, skipped, faults } of verdicts.filter(verdict => verdict.name === name)) {
        if (!passed) failedOn[unit] = faults
        else if (skipped.length > 0) skippedOn[unit] = skipped
        else passedOn.push(unit)
      }
    }
    return { name, passedOn, failedOn, skippedOn }
  })
}
