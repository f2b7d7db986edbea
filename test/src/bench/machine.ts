// The machine that a figure belongs to, and how quiet it is: another program that takes the processors makes every figure
// smaller, though not the ratios of one run.

import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { runProgram } from '../harness/run-program.js'

const LOOK_MS = 2000

/** Lines for the head of a report. */
export async function describeMachine(): Promise<string> {
  const tgtd = await runProgram('tgtd', ['--version'])
  const qemu = /version (\S+)/.exec((await runProgram('qemu-img', ['--version'])).stdout)?.[1]
  return [
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Linux ${release()}, Node ${process.versions.node}, tgt ${tgtd.stdout.trim()}, QEMU ${qemu}`,
    `busy with other things: ${Math.round((await busyShare()) * 100)} % of the processors`,
  ].join('\n')
}

/** Share of the processors' time that was used during two seconds in which we did nothing. */
async function busyShare(): Promise<number> {
  const before = processorTimes()
  await delay(LOOK_MS)
  const after = processorTimes()
  return 1 - (after.idle - before.idle) / (after.all - before.all)
}

/** Since the machine started, in ticks; first line of /proc/stat, see proc_stat(5). */
function processorTimes(): { all: number; idle: number } {
  const [, ...ticks] = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0]!.split(/\s+/)
  const all = ticks.slice(0, 8).reduce((sum, value) => sum + Number(value), 0)
  return { all, idle: Number(ticks[3]) + Number(ticks[4]) }
}
