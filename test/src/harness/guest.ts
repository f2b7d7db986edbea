// An emulated Linux machine with open-iscsi that runs one shell script and ends. The host's loopback is 10.0.2.2 in there.
//
// The script is made of steps (`step NAME COMMAND…`, see test/guest/init.sh); each step's output and exit code come back by
// its name over a serial port of its own, apart from the kernel's console.
//
// Left out: guests that stay up, and several at once.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { guestImage } from './guest-image.js'
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

const SECTOR = 512

/** Boots a guest on a fresh overlay, runs `script`, and waits for its end; after `timeoutMs` the machine is killed. */
export async function runGuest(script: string, timeoutMs = 240_000): Promise<GuestRun> {
  const image = await guestImage()
  const scratch = mkdtempSync(join(tmpdir(), 'scsipub-guest-'))
  try {
    const overlay = join(scratch, 'root.qcow2')
    const backing = ['-b', image.root, '-F', 'raw', overlay]
    const created = await runProgram('qemu-img', ['create', '-q', '-f', 'qcow2', ...backing])
    if (created.code !== 0) throw new Error(created.stderr)
    const job = join(scratch, 'job')
    const text = Buffer.from(script)
    writeFileSync(job, Buffer.concat([text, Buffer.alloc(SECTOR - (text.length % SECTOR))]))
    const results = join(scratch, 'results')
    const ran = await runProgram('qemu-system-x86_64', machine(image, { overlay, job, results }), { timeoutMs })
    const output = readFileSync(results, 'utf8')
    return { ...parseSteps(output), output, console: ran.stdout + ran.stderr }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
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

function machine(image: { kernel: string; initrd: string }, files: { overlay: string; job: string; results: string }) {
  return [
    ['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '768'],
    ['-kernel', image.kernel, '-initrd', image.initrd],
    ['-append', 'console=ttyS0 quiet panic=-1 net.ifnames=0 mitigations=off'],
    ['-drive', `file=${files.overlay},format=qcow2,if=virtio,cache=unsafe`],
    ['-drive', `file=${files.job},format=raw,if=virtio,readonly=on`],
    ['-netdev', 'user,id=net', '-device', 'virtio-net-pci,netdev=net,romfile='],
    ['-serial', 'stdio', '-serial', `file:${files.results}`],
    ['-nodefaults', '-display', 'none', '-monitor', 'none', '-no-reboot'],
  ].flat()
}
