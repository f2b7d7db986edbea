// Tests of libiscsi's suite that no kind of unit goes through yet, with the reason: the list may only become shorter. Whoever
// adds a command strikes its line; conformance.test.ts fails when a test of this list passes.

export interface NotYet {
  /** Suites, or single tests as `Suite.Test`. */
  readonly tests: readonly string[]
  readonly why: string
}

export const notYet: readonly NotYet[] = []
