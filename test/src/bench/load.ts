// One load on one logical unit, by a program that other people wrote: iscsi-perf for reads, `qemu-img bench` for writes,
// `qemu-io` for reads and writes in one stream. One process, one session, buffers of its own.
//
// What they do on the wire was looked at with tcpdump:
// - iscsi-perf: READ(16) at random addresses, aligned to 512 bytes. It keeps its depth exactly: -m 1 is one command at a time.
// - qemu-img bench: READ(10) and WRITE(10), each `step` behind the one before, wrapping around at the end of the disk. No
//   FUA and, with `-t none`, no SYNCHRONIZE CACHE but one when the disk is closed, after the clock has stopped. It sends
//   new requests in batches, as answers come in: `-d` is what it reaches, not what it always keeps.
// - qemu-io: as many requests as the depth, then it waits for all of them. So a batch is only as quick as its slowest.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Ran, runProgram } from '../harness/run-program.js'
import { random } from './random.js'

export interface Load {
  readonly program: 'iscsi-perf' | 'qemu-img' | 'qemu-io'
  readonly kind: 'read' | 'write' | 'mixed'
  /** Length of each request. */
  readonly bytes: number
  readonly depth: number
}

const SECTOR_BYTES = 512
const WARM_UP_SECONDS = 1
const WARM_UP_REQUESTS = 2000
/** Of a mixed load three of four requests are reads, as of a usual file system. */
const READS = 0.75
const LOST_MS = 60_000

/** A load on a unit. Programs that want a count instead of a time are given one from the rate that the last run had. */
export class Meter {
  readonly #load: Load
  readonly #url: string
  readonly #diskBytes: number
  #rate = 0

  constructor(load: Load, url: string, diskBytes: number) {
    this.#load = load
    this.#url = url
    this.#diskBytes = diskBytes
  }

  /** Not measured: compiles hot code, fills caches, and finds out the rate. */
  async warmUp(meanwhile: <T>(run: () => Promise<T>) => Promise<T> = run => run()): Promise<void> {
    this.#rate = await meanwhile(() => this.#run(WARM_UP_REQUESTS, WARM_UP_SECONDS))
    this.#rate = await meanwhile(() => this.#run(Math.ceil(this.#rate * WARM_UP_SECONDS), WARM_UP_SECONDS))
  }

  /**
   * Requests a second over about `seconds`.
   * @throws Error when the program failed, with what it printed
   */
  async measure(seconds: number): Promise<number> {
    this.#rate = await this.#run(Math.ceil(this.#rate * seconds), seconds)
    return this.#rate
  }

  #run(count: number, seconds: number): Promise<number> {
    switch (this.#load.program) {
      case 'iscsi-perf':
        return iscsiPerf(this.#load, this.#url, seconds)
      case 'qemu-img':
        return qemuImg(this.#load, this.#url, count, scatter(this.#diskBytes, this.#load.bytes))
      case 'qemu-io':
        return qemuIo(this.#load, this.#url, count, this.#diskBytes)
    }
  }
}

async function iscsiPerf({ kind, bytes, depth }: Load, url: string, seconds: number): Promise<number> {
  if (kind !== 'read') throw new Error('iscsi-perf only reads')
  const args = ['-r', '-b', bytes / SECTOR_BYTES, '-m', depth, '-t', Math.ceil(seconds), url].map(String)
  const ran = await run('iscsi-perf', args, seconds)
  const averages = [...ran.stdout.matchAll(/iops average (\d+)/g)]
  return number(averages.at(-1)?.[1], ran)
}

async function qemuImg({ kind, bytes, depth }: Load, url: string, count: number, step: number): Promise<number> {
  const args = ['bench', ...(kind === 'write' ? ['-w'] : []), '-f', 'raw', '-t', 'none']
  const ran = await run(
    'qemu-img',
    [...args, ...['-d', depth, '-s', bytes, '-S', step, '-c', count].map(String), url],
    0,
  )
  return count / number(/Run completed in ([\d.]+) seconds/.exec(ran.stdout)?.[1], ran)
}

/** The time includes the start of the program and its login, some milliseconds. */
async function qemuIo({ bytes, depth }: Load, url: string, count: number, diskBytes: number): Promise<number> {
  const dice = random(count)
  const lines: string[] = []
  for (let sent = 0; sent < count; sent++) {
    const kind = dice() < READS ? 'aio_read' : 'aio_write'
    lines.push(`${kind} -q ${Math.floor(dice() * (diskBytes / bytes)) * bytes} ${bytes}`)
    if ((sent + 1) % depth === 0) lines.push('aio_flush')
  }
  const began = performance.now()
  await qemuIoScript(url, lines)
  return count / ((performance.now() - began) / 1000)
}

/**
 * Runs qemu-io commands on a unit.
 * @throws Error when a command failed
 */
export async function qemuIoScript(url: string, lines: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'scsipub-bench-'))
  try {
    const script = join(folder, 'script')
    writeFileSync(script, `${lines.join('\n')}\naio_flush\n`)
    const ran = await run('sh', ['-c', 'exec qemu-io -f raw -t none "$1" < "$0"', script, url], 0)
    if (/failed|error/i.test(ran.stdout + ran.stderr)) throw failure('qemu-io', ran)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function run(program: string, args: string[], seconds: number): Promise<Ran> {
  const ran = await runProgram(program, args, { timeoutMs: seconds * 1000 + LOST_MS })
  if (ran.code !== 0) throw failure([program, ...args].join(' '), ran)
  return ran
}

function number(text: string | undefined, ran: Ran): number {
  const value = Number(text)
  if (!(value > 0)) throw failure('a load program gave no result', ran)
  return value
}

function failure(what: string, { code, stdout, stderr }: Ran): Error {
  return new Error(`${what}: exit code ${code}\n${stdout.slice(-2000)}\n${stderr.slice(-2000)}`)
}

/**
 * A step that visits every block of a disk once before it comes to one again, far from the last: about the golden section of
 * the disk, in blocks an odd number, so that it has no factor in common with a count that is a power of two.
 */
export function scatter(diskBytes: number, blockBytes: number): number {
  return (Math.floor((diskBytes / blockBytes) * 0.618_034) | 1) * blockBytes
}
