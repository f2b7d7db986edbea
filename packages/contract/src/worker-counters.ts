/**
 * What session workers count, in shared memory, so that whoever wants to see it needs no word with a worker: commands, bytes, sampled latencies, failures, and once
 * a second heap and delays of the event loop. One block a worker slot, written by that worker alone, and so by plain stores: 64-bit ones, which 64-bit
 * machines do not tear. Numbers are doubles, exact to 2^53.
 *
 *   0       beats: once a second, so a worker that does not beat is stuck
 *   1..2    bytes of heap in use, bytes outside of it (buffers)
 *   3..5    delay of the event loop in the last second: mean, 99th percentile, longest, in ms
 *   6       SCSI commands that have come
 *   7..8    READs that were answered GOOD, their bytes        9..10   the same of WRITEs
 *   11..26  CHECK CONDITIONs by sense key        27       of those, for want of space
 *   32..    latency of READs, 64.. of WRITEs, 96.. of all others: sum of the samples in µs, then samples by the binary logarithm of their µs
 *
 * Latency is from the command PDU to its status, of every 16th command, so that the usual command pays for no look at the clock.
 */
import { MAX_WORKER_SLOTS } from './control-block.js'

const NUMBERS = 128
const BEATS = 0
const COMMANDS = 6
const IO = 7
const SENSE_KEYS = 11
const OUT_OF_SPACE = 27
const LATENCY = 32
const LATENCY_NUMBERS = 32
/** Samples by the logarithm: 0 (under 2 µs) to 24 (16 s and more). */
export const LATENCY_BUCKETS = 25
const SENSE_KEY_COUNT = 16
/** One of 16 is timed. */
const SAMPLE_MASK = 15

/** What a command is to the counters. */
export const IO_KIND = { other: 0, read: 1, write: 2 } as const
export type IoKind = (typeof IO_KIND)[keyof typeof IO_KIND]
/** Places of the latencies by kind. */
const LATENCY_AT = [LATENCY + 2 * LATENCY_NUMBERS, LATENCY, LATENCY + LATENCY_NUMBERS] as const

/** How a worker is, as of its last beat. Delays in ms. */
export interface WorkerHealth {
  readonly heapBytes: number
  readonly externalBytes: number
  readonly delayMean: number
  readonly delayP99: number
  readonly delayMax: number
}

/** Samples of one kind: `buckets[n]` took 2^n to 2^(n+1) µs. */
export interface Latency {
  readonly sumUs: number
  readonly buckets: readonly number[]
}

/** What a worker has counted since it began. */
export interface WorkerCounts {
  readonly commands: number
  readonly reads: number
  readonly readBytes: number
  readonly writes: number
  readonly writeBytes: number
  /** CHECK CONDITIONs by sense key. */
  readonly senseKeys: readonly number[]
  readonly outOfSpace: number
  readonly latency: { readonly read: Latency; readonly write: Latency; readonly other: Latency }
}

/** Memory for the counters of all slots. */
export function createWorkerCounters(): SharedArrayBuffer {
  return new SharedArrayBuffer(MAX_WORKER_SLOTS * NUMBERS * Float64Array.BYTES_PER_ELEMENT)
}

export class WorkerCounters {
  readonly #numbers: Float64Array

  /** The counters of the worker in `slot`. */
  constructor(shared: SharedArrayBuffer, slot: number) {
    this.#numbers = new Float64Array(shared, slot * NUMBERS * Float64Array.BYTES_PER_ELEMENT, NUMBERS)
  }

  /** Forgets what a former worker of the slot has counted. */
  clear(): void {
    this.#numbers.fill(0)
  }

  // --- the worker's

  /** A command has come; the value is for `answered`: when, if it is one of those that are timed, else 0. Runs for every command. */
  began(): number {
    const count = ++this.#numbers[COMMANDS]!
    return (count & SAMPLE_MASK) === 0 ? nowUs() : 0
  }

  /** A command is answered. `bytes` it has moved, or -1 when its status is not GOOD. Runs for every command. */
  answered(kind: IoKind, beganUs: number, bytes: number): void {
    const numbers = this.#numbers
    if (kind !== IO_KIND.other && bytes >= 0) {
      const at = kind === IO_KIND.read ? IO : IO + 2
      numbers[at]! += 1
      numbers[at + 1]! += bytes
    }
    if (beganUs !== 0) this.#time(kind, (nowUs() - beganUs) | 0)
  }

  /** A command ends with CHECK CONDITION. */
  failed(senseKey: number, outOfSpace: boolean): void {
    this.#numbers[SENSE_KEYS + (senseKey % SENSE_KEY_COUNT)]! += 1
    if (outOfSpace) this.#numbers[OUT_OF_SPACE]! += 1
  }

  /** The worker is alive, and this is how it is. */
  beat({ heapBytes, externalBytes, delayMean, delayP99, delayMax }: WorkerHealth): void {
    this.#numbers.set([heapBytes, externalBytes, delayMean, delayP99, delayMax], BEATS + 1)
    this.#numbers[BEATS]! += 1
  }

  #time(kind: IoKind, us: number): void {
    const at = LATENCY_AT[kind]
    // Beyond 35 minutes the clock's 32 bits have gone round.
    const taken = us < 0 ? 2 ** 31 : Math.max(1, us)
    this.#numbers[at]! += taken
    this.#numbers[at + 1 + Math.min(LATENCY_BUCKETS - 1, 31 - Math.clz32(taken))]! += 1
  }

  // --- everybody's

  /** Seconds that the worker has been there, as it has counted them itself. */
  get beats(): number {
    return this.#numbers[BEATS]!
  }

  get health(): WorkerHealth {
    const [heapBytes = 0, externalBytes = 0, delayMean = 0, delayP99 = 0, delayMax = 0] = this.#numbers.subarray(1, 6)
    return { heapBytes, externalBytes, delayMean, delayP99, delayMax }
  }

  get counts(): WorkerCounts {
    const [commands = 0, reads = 0, readBytes = 0, writes = 0, writeBytes = 0] = this.#numbers.subarray(COMMANDS)
    return {
      commands,
      reads,
      readBytes,
      writes,
      writeBytes,
      senseKeys: [...this.#numbers.subarray(SENSE_KEYS, SENSE_KEYS + SENSE_KEY_COUNT)],
      outOfSpace: this.#numbers[OUT_OF_SPACE]!,
      latency: {
        read: this.#latency(IO_KIND.read),
        write: this.#latency(IO_KIND.write),
        other: this.#latency(IO_KIND.other),
      },
    }
  }

  #latency(kind: IoKind): Latency {
    const at = LATENCY_AT[kind]
    return { sumUs: this.#numbers[at]!, buckets: [...this.#numbers.subarray(at + 1, at + 1 + LATENCY_BUCKETS)] }
  }
}

/** What several workers have counted together; of none, nothing. */
export function sumOfCounts(all: readonly WorkerCounts[]): WorkerCounts {
  const sum = (of: (counts: WorkerCounts) => number) => all.reduce((total, counts) => total + of(counts), 0)
  const each = (length: number, of: (counts: WorkerCounts) => readonly number[]) =>
    Array.from({ length }, (_, index) => sum(counts => of(counts)[index] ?? 0))
  const latency = (kind: keyof WorkerCounts['latency']): Latency => ({
    sumUs: sum(counts => counts.latency[kind].sumUs),
    buckets: each(LATENCY_BUCKETS, counts => counts.latency[kind].buckets),
  })
  return {
    commands: sum(counts => counts.commands),
    reads: sum(counts => counts.reads),
    readBytes: sum(counts => counts.readBytes),
    writes: sum(counts => counts.writes),
    writeBytes: sum(counts => counts.writeBytes),
    senseKeys: each(SENSE_KEY_COUNT, counts => counts.senseKeys),
    outOfSpace: sum(counts => counts.outOfSpace),
    latency: { read: latency('read'), write: latency('write'), other: latency('other') },
  }
}

/** The clock in µs, of which 32 bits are kept and 0 is left out: a small integer costs no memory. */
function nowUs(): number {
  return (performance.now() * 1000) | 1
}
