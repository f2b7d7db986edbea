// The steps by which the storage engine's thread changes files, counted, so that a test can have the thread end before any one of them. Memory that the test has too goes to
// each engine of the process with its environment.

import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads'

const KEY = 'steps of the storage engine'
const DONE = 0
const LAST = 1

/** What makes, renames, writes, syncs or removes files, as far as the engine does so by Node. */
const CALLS = ['mkdirSync', 'renameSync', 'rmSync', 'openSync', 'writeFileSync', 'fsyncSync', 'fdatasync'] as const
const PROMISED = ['rm', 'rename', 'open'] as const

/** The test's side. */
export class EngineSteps {
  readonly #words: Int32Array

  /** For the engines of servers that are started from now on. */
  constructor() {
    const memory = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)
    this.#words = new Int32Array(memory)
    setEnvironmentData(KEY, memory)
  }

  /** Counts from 0; the thread that is about to do step number `last` ends instead. 0: none does. */
  begin(last = 0): void {
    Atomics.store(this.#words, DONE, 0)
    Atomics.store(this.#words, LAST, last)
  }

  get done(): number {
    return Atomics.load(this.#words, DONE)
  }
}

/** The engine's side: counts from now on, if there is a test that wants it. */
export function countSteps(): void {
  const memory = getEnvironmentData(KEY) as unknown
  if (!(memory instanceof SharedArrayBuffer)) return
  const words = new Int32Array(memory)
  const step = () => {
    if (Atomics.add(words, DONE, 1) + 1 !== Atomics.load(words, LAST)) return
    process.exit(1)
    for (;;); // the thread ends at the next turn of a loop
  }
  for (const name of CALLS) counted(fs as never, name, step)
  for (const name of PROMISED) counted(fs.promises as never, name, step)
  syncBuiltinESMExports()
}

function counted(owner: Record<string, (...args: unknown[]) => unknown>, name: string, step: () => void): void {
  const original = owner[name]!
  owner[name] = (...args) => {
    step()
    return original(...args)
  }
}
