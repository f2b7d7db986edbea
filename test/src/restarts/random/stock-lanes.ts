// Initiators that are not ours: libiscsi's reader, which notices nothing but failures, and QEMU, which writes patterns and reads them back over sessions of its own.

import { setTimeout } from 'node:timers/promises'
import type { Dice } from '../../chaos/dice.js'
import { type Ran, runProgram } from '../../harness/run-program.js'
import type { Breaks } from './breaks.js'
import type { Lane } from './lane.js'

const PERF_SECONDS = 4
const PERF_LIMIT_MS = 60_000
/** Exit code of `runProgram`. */
const TIME_IS_UP = 124
const PLACES = 32
const PLACE_KIB = 64
const WRITES = 12
const AGAIN_MS = 200
/** No run of either takes so long, however busy the machine is. */
const LIMIT_MS = 300_000
/** What `iscsi-perf` tells of the time that is left once it has missed its end, which it does when the machine stands still in that second; it goes on for ever then. */
const MISSED = /\d{10,}:\d\d:\d\d/

/** `iscsi-perf`, one short run after the other, with random reads of 4 KiB. */
export class PerfLane implements Lane {
  readonly name = 'iscsi-perf'
  done = 0
  readonly #options: { url: string; breaks: Breaks }
  #stopped = false

  constructor(options: { url: string; breaks: Breaks }) {
    this.#options = options
  }

  stop(): void {
    this.#stopped = true
  }

  async run(): Promise<void> {
    this.#stopped = false
    const { url, breaks } = this.#options
    while (!this.#stopped && !breaks.fault) {
      const args = ['-n', '10', 'iscsi-perf', '-r', '-b', '8', '-m', '4', '-t', String(PERF_SECONDS), url]
      const ran = await runProgram('nice', args, { timeoutMs: PERF_LIMIT_MS })
      const iops = [...ran.stdout.matchAll(/iops average (\d+)/g)].map(match => Number(match[1])).at(-1)
      const over = ran.code === 0 || (ran.code === TIME_IS_UP && MISSED.test(ran.stdout))
      if (over && iops !== undefined && iops > 0) this.done += iops * PERF_SECONDS
      else await failed(this.name, ran, breaks)
    }
  }
}

/** `qemu-io`, one run after the other: many writes at once, a flush, and everything read back. */
export class QemuLane implements Lane {
  readonly name = 'qemu-io'
  done = 0
  readonly #options: { url: string; breaks: Breaks; dice: Dice }
  /** The byte that a place is filled with; undefined after a write of which nobody knows how far it came. */
  readonly #places: (number | undefined)[] = Array<number>(PLACES).fill(0)
  #stopped = false

  constructor(options: { url: string; breaks: Breaks; dice: Dice }) {
    this.#options = options
  }

  stop(): void {
    this.#stopped = true
  }

  async run(): Promise<void> {
    this.#stopped = false
    const { url, breaks, dice } = this.#options
    while (!this.#stopped && !breaks.fault) {
      const commands = this.#check()
      const written = Array.from({ length: WRITES }, () => dice.below(PLACES))
      for (const place of new Set(written)) {
        const byte = dice.between(1, 255)
        this.#places[place] = byte
        commands.push(`aio_write -P ${byte} ${extent(place)}`)
      }
      commands.push('aio_flush', 'flush', ...this.#check())
      const args = ['-f', 'raw', ...commands.flatMap(command => ['-c', command]), url]
      const ran = await runProgram('qemu-io', args, { timeoutMs: LIMIT_MS })
      const said = ran.stdout + ran.stderr
      if (/Pattern verification failed/i.test(said))
        breaks.fail(new Error(`qemu-io: data differ: ${said.slice(-2000)}`))
      else if (ran.code === 0 && !/error/i.test(said)) this.done += commands.length
      else {
        for (const place of written) this.#places[place] = undefined
        await failed(this.name, ran, breaks)
      }
    }
  }

  #check(): string[] {
    return this.#places.flatMap((byte, place) => (byte === undefined ? [] : [`read -P ${byte} ${extent(place)}`]))
  }
}

function extent(place: number): string {
  return `${place * PLACE_KIB}k ${PLACE_KIB}k`
}

async function failed(name: string, { code, stdout, stderr }: Ran, breaks: Breaks): Promise<void> {
  breaks.note(name, `exit code ${code}: ${(stdout + stderr).slice(-1000)}`)
  await setTimeout(AGAIN_MS)
}
