// What all loads have in common: they run until they are told to end, and what stops them before is a fault of the run.

export interface Lane {
  readonly name: string
  /** What it did, for the report; a count. */
  readonly done: number
  /** Runs until `stop`; settles when all of it is over and its connections are closed. May be called again then. @throws Error at a fault */
  run(): Promise<void>
  stop(): void
}
