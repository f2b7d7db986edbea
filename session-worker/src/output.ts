/**
 * The memory in which a worker builds what it sends: one slab for all its connections.
 *
 * A connection reserves room, fills it and gives the filled part to its socket within one synchronous section. When the
 * kernel took all of it at once (the usual case) the room is free again, and the next section uses the same, still
 * cached, bytes. When the socket still holds it, or a read from a slow disk is filling it, the slab just goes on behind
 * it; a slab that is used up is replaced and lives as long as somebody refers to it.
 */

const SLAB_BYTES = 1 << 20

/** The connection whose section is running. */
interface Owner {
  flush(): void
}

export class Output {
  /** Whose bytes those of the running section are. */
  owner: Owner | undefined
  /** Where `reserve` gave room: offsets are valid for this buffer until the next `reserve`. */
  buffer = Buffer.allocUnsafeSlow(SLAB_BYTES)
  #start = 0
  #end = 0

  /** Bytes of the running section. */
  get length(): number {
    return this.#end - this.#start
  }

  /** True when `bytes` more would not fit behind the running section. */
  isFull(bytes: number): boolean {
    return this.#end + bytes > this.buffer.length
  }

  /** Room for `bytes` at the returned offset of `buffer`. The running section must have been taken when `isFull`. */
  reserve(bytes: number): number {
    if (this.isFull(bytes)) {
      this.buffer = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, bytes))
      this.#start = this.#end = 0
    }
    const offset = this.#end
    this.#end += bytes
    return offset
  }

  /** Gives back what was reserved from `offset` on: nothing was written there. */
  unreserve(offset: number): void {
    this.#end = offset
  }

  /** Leaves `bytes` at `offset`, behind an empty section, to somebody who will fill and send them later. */
  leave(offset: number, bytes: number): Buffer {
    this.#start = this.#end = offset + bytes
    return this.buffer.subarray(offset, offset + bytes)
  }

  /** The filled section, to be written; `reuse` or `keep` must follow. */
  take(): Buffer {
    return this.buffer.subarray(this.#start, this.#end)
  }

  /** The section was copied by the kernel: its room is free. */
  reuse(): void {
    this.#end = this.#start
  }

  /** Somebody still refers to the section: go on behind it. */
  keep(): void {
    this.#start = this.#end
  }
}
