/**
 * Shared memory of one storage engine and the next: the supervisor makes it, and each thread in turn gets it.
 *
 *   word  0        beats: counted up as long as the thread's event loop turns
 *   word  1        number of the last notice, so that no two notices of two threads have the same
 *   word  2        1 while the redo record is whole
 *   word  3        bytes of its data
 *   words 4..5     position in the volume (double)
 *   words 6..7     bytes of the volume's name; nothing
 *   bytes 32..159  name of the volume
 *   bytes 160..    data
 *
 * The redo record: what a write behind the closed gate is about to put where. A thread that dies in the middle of it leaves the record, and the next one writes
 * it again, so that such a write is whole or not at all, whoever dies. It is made and taken away in one synchronous section: there is one at a time.
 */

const BEATS = 0
const LAST_NOTICE = 1
const WHOLE = 2
const LENGTH = 3
const POSITION = 2
const NAME_LENGTH = 6
const NAME_AT = 32
const DATA_AT = 160
/** Most bytes that a redo record holds: more than COMPARE AND WRITE or WRITE ATOMIC ever write. */
export const REDO_BYTES = 1 << 20

export interface Redo {
  readonly volumeId: string
  readonly position: number
  readonly data: Buffer
}

export class EngineMemory {
  readonly shared: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #doubles: Float64Array
  readonly #bytes: Buffer

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(DATA_AT + REDO_BYTES)) {
    this.shared = shared
    this.#words = new Int32Array(shared, 0, DATA_AT / 4)
    this.#doubles = new Float64Array(shared, 0, DATA_AT / 8)
    this.#bytes = Buffer.from(shared)
  }

  beat(): void {
    Atomics.add(this.#words, BEATS, 1)
  }

  get beats(): number {
    return Atomics.load(this.#words, BEATS)
  }

  /** A number for a notice, which no other has (modulo 2^32). */
  nextNotice(): number {
    return (Atomics.add(this.#words, LAST_NOTICE, 1) + 1) >>> 0
  }

  /** Runs `write`, which puts `data` at `position` of the volume in one synchronous section; what is longer than REDO_BYTES without a record. Throws as it does. */
  recorded(volumeId: string, position: number, data: Uint8Array, write: () => void): void {
    if (data.length > REDO_BYTES) return write()
    this.#words[LENGTH] = data.length
    this.#doubles[POSITION] = position
    this.#words[NAME_LENGTH] = this.#bytes.write(volumeId, NAME_AT, DATA_AT - NAME_AT, 'latin1')
    this.#bytes.set(data, DATA_AT)
    Atomics.store(this.#words, WHOLE, 1)
    try {
      write()
    } finally {
      this.clearRedo()
    }
  }

  /** The record that a dead thread has left; undefined when there is none. */
  redo(): Redo | undefined {
    if (Atomics.load(this.#words, WHOLE) === 0) return undefined
    const volumeId = this.#bytes.toString('latin1', NAME_AT, NAME_AT + this.#words[NAME_LENGTH]!)
    const data = Buffer.from(this.#bytes.subarray(DATA_AT, DATA_AT + this.#words[LENGTH]!))
    return { volumeId, position: this.#doubles[POSITION]!, data }
  }

  clearRedo(): void {
    Atomics.store(this.#words, WHOLE, 0)
  }

  /** A copy of what is used of it, for another process. */
  export(): Uint8Array {
    const end = Atomics.load(this.#words, WHOLE) === 0 ? DATA_AT : DATA_AT + this.#words[LENGTH]!
    return Uint8Array.from(this.#bytes.subarray(0, end))
  }

  /** What `export` gave, in memory of this process. */
  static import(words: Uint8Array): EngineMemory {
    const memory = new EngineMemory()
    memory.#bytes.set(words)
    return memory
  }
}
