// An initiator that writes without a pause, one block after the other, so that what is on the disk tells how far it had come: write number n has n in its
// first word, and goes to a block that follows from n. After n writes the whole disk is known; so a copy of it tells its moment, and whether it is one.

import { EventEmitter, once } from 'node:events'
import { status } from '@scsipub/scsi'
import { cdb, type Initiator } from '@scsipub/testkit'
import { BLOCK, content } from './lab.js'

/** What a write that ended with CHECK CONDITION may be tried again after: it was not done. */
const UNIT_ATTENTION = /^6\//
const DEADLINE_MS = 60_000

/** The block of write number n, from 1 on. */
export function blockOf(n: number): Buffer {
  const block = content(BLOCK, n)
  block.writeUInt32BE(n, 0)
  return block
}

export class StampWriter {
  readonly #initiator: Initiator
  readonly #blocks: number
  readonly #first: number
  readonly #lun: number
  readonly #work: Promise<void>
  #stopping = false
  #failure: string | undefined
  readonly #news = new EventEmitter()
  /** Number of the last write that was sent. */
  begun = 0
  /** Number of the last write that has been answered with GOOD. */
  acknowledged = 0
  /** Unit attentions that it was told of; the write is sent again then. */
  readonly senses: string[] = []

  /** Begins to write into `blocks` of a LUN, 0 unless told, from block `first` on. */
  constructor(initiator: Initiator, { blocks, first = 0, lun = 0 }: { blocks: number; first?: number; lun?: number }) {
    this.#initiator = initiator
    this.#blocks = blocks
    this.#first = first
    this.#lun = lun
    this.#work = this.#write()
  }

  /** Waits until write number n is acknowledged. @throws Error when a write has failed, or after a minute */
  async until(n: number): Promise<void> {
    const end = performance.now() + DEADLINE_MS
    while (this.acknowledged < n) {
      if (this.#failure !== undefined) throw new Error(`WRITE ended with ${this.#failure}`)
      if (performance.now() > end) throw new Error(`write ${n} not within ${DEADLINE_MS} ms; at ${this.acknowledged}`)
      await once(this.#news, 'answer')
    }
  }

  /** Ends after the write that is under way. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#work
  }

  /** Waits for the write that fails; its sense. */
  async failure(): Promise<string> {
    await this.#work
    if (this.#failure === undefined) throw new Error('no write has failed')
    return this.#failure
  }

  /** Its blocks after write number n, on a disk that was blank. */
  expected(n: number): Buffer {
    const disk = Buffer.alloc(this.#blocks * BLOCK)
    for (let number = 1; number <= n; number++) blockOf(number).copy(disk, this.#lba(number) * BLOCK)
    return disk
  }

  /** All over its blocks, and each again and again. */
  #lba(n: number): number {
    return (Math.imul(n, 2654435761) >>> 0) % this.#blocks
  }

  async #write(): Promise<void> {
    for (let n = 1; !this.#stopping; ) {
      this.begun = n
      const { status: ending, sense } = await this.#send(n)
      if (ending === status.good) this.acknowledged = n++
      else if (sense !== undefined && UNIT_ATTENTION.test(sense)) this.senses.push(sense)
      else {
        this.#failure = sense ?? `status ${ending}`
        this.#stopping = true
      }
      this.#news.emit('answer')
    }
  }

  /** A connection that has ended is a failure like any other. */
  async #send(n: number): Promise<{ status: number; sense?: string | undefined }> {
    try {
      return await this.#initiator.executeWrite(cdb.write10(this.#first + this.#lba(n), 1), blockOf(n), {
        lun: this.#lun,
      })
    } catch (error) {
      return { status: -1, sense: String(error) }
    }
  }
}
