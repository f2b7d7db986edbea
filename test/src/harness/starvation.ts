// How long the threads of some processes were ready to run and had no processor, as the kernel counts it: what a machine that has other things to do adds to any time that is
// measured. A bound on an answer's time is a promise for the rest of it.

import { readdirSync, readFileSync } from 'node:fs'

const NS_PER_MS = 1e6

export class Starvation {
  readonly #pids: () => readonly number[]
  /** Of each process, in ms; that of one that is gone stays. */
  readonly #known = new Map<number, number>()

  /** Of these processes, whichever there are at a time. */
  constructor(pids: () => readonly number[]) {
    this.#pids = pids
  }

  /** Of all threads together, in ms; it only grows. */
  get ms(): number {
    for (const pid of this.#pids()) this.#known.set(pid, Math.max(this.#known.get(pid) ?? 0, starvedMs(pid)))
    return [...this.#known.values()].reduce((sum, ms) => sum + ms, 0)
  }
}

function starvedMs(pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    return threads.reduce((sum, thread) => sum + waitedNs(`/proc/${pid}/task/${thread}/schedstat`), 0) / NS_PER_MS
  } catch {
    return 0 // it is gone
  }
}

/** Its second number; that of a thread that has just gone is lost. */
function waitedNs(path: string): number {
  try {
    return Number(readFileSync(path, 'utf8').split(' ')[1])
  } catch {
    return 0
  }
}
