// An emulated Linux machine with open-iscsi that runs one shell script and ends. The host's loopback is 10.0.2.2 in there.
//
// The script is made of steps (`step NAME COMMAND…`, see test/guest/init.sh); each step's output and exit code come back by
// its name over a serial port of its own, apart from the kernel's console.
//
// Left out: guests that stay up, and several at once, which are in live-guest.ts.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { guestFiles, machine, QEMU } from './guest-machine.js'
import { PATIENT_DISK, PATIENT_INITIATOR } from './guest-patience.js'
import { runProgram } from './run-program.js'

export interface GuestStep {
  readonly code: number
  readonly output: string
}

export interface GuestRun {
  /** Steps by name, in order. */
  readonly steps: ReadonlyMap<string, GuestStep>
  /** Exit code of the script; `undefined` when the guest did not come so far. */
  readonly exit: number | undefined
  /** Everything that the script printed, and the kernel's console: what to look at when something went wrong. */
  readonly output: string
  readonly console: string
}

/** The host's loopback, seen from the guest. */
export const HOST_IN_GUEST = '10.0.2.2'

/** Boots a guest on a fresh overlay, runs `script`, and waits for its end; after `timeoutMs` the machine is killed. */
export async function runGuest(script: string, timeoutMs = 3_000_000): Promise<GuestRun> {
  const files = await guestFiles(PATIENT_DISK + PATIENT_INITIATOR + script)
  try {
    const results = join(files.folder, 'results')
    const ports = ['-serial', 'stdio', '-serial', `file:${results}`, '-monitor', 'none']
    const ran = await runProgram(QEMU, [...machine(files), ...ports], { timeoutMs })
    const output = readFileSync(results, 'utf8')
    return { ...parseSteps(output), output, console: ran.stdout + ran.stderr }
  } finally {
    files.remove()
  }
}

/** Reads the results of a script: `@step NAME`, its output, `@code N`; at the end `@exit N`. */
function parseSteps(output: string): Pick<GuestRun, 'steps' | 'exit'> {
  const steps = new Map<string, GuestStep>()
  for (const [, name = '', text = '', code] of output.matchAll(/^@step (.*)\n([\s\S]*?)\n@code (\d+)$/gm)) {
    steps.set(name, { code: Number(code), output: text.trim() })
  }
  const exit = /^@exit (\d+)$/m.exec(output)?.[1]
  return { steps, exit: exit === undefined ? undefined : Number(exit) }
}
