/**
 * A command that sends data to the initiator: Data-In PDUs cut to what the initiator takes, the last one with the status.
 * [7143 §11.7]
 *
 * Data from memory and data from the page cache are sent in the same synchronous section. A cold piece is awaited with its room in the output
 * detached, and a congested connection puts the task to sleep until it drained; so a slow reader holds one piece, not a transfer.
 */
import { dataIn, RESERVED_TAG } from '@scsipub/iscsi'
import type { Command, Task } from './command.js'
import type { FullFeature } from './full-feature.js'
import { mediumSense } from './medium-sense.js'
import { respondSense } from './scsi-response.js'

/** Largest piece of one Data-In PDU, whatever the initiator takes: it should still be in the cache when the kernel copies it. */
const MAX_PIECE_BYTES = 64 << 10

/** Fills `length` bytes at `at` of `target` with what lies at `position` of the transfer; undefined when done at once. */
export type Source = (position: number, target: Buffer, at: number, length: number) => undefined | Promise<void>

export class ReadTask implements Task {
  aborted = false
  pending: Promise<void> | undefined
  readonly command: Command
  readonly #phase: FullFeature
  readonly #source: Source
  /** Bytes that the command moves, and how many of them the initiator has room for. */
  readonly #wanted: number
  readonly #length: number
  #sent = 0
  #inBurst = 0

  constructor(phase: FullFeature, command: Command, wanted: number, source: Source) {
    this.command = command
    this.#phase = phase
    this.#source = source
    this.#wanted = wanted
    this.#length = Math.min(wanted, command.expectedBytes)
  }

  /** Begins the transfer. One of several pieces counts in the command window from the first on, so that MaxCmdSN never moves back. */
  start(): void {
    if (
      this.#length >
      Math.min(this.#phase.maxRecvDataSegmentLength, MAX_PIECE_BYTES, this.#phase.parameters.maxBurstLength)
    )
      this.#phase.tasks.keep(this)
    this.run()
  }

  /** Sends as much as can be sent now; goes on by itself when a cold piece is there or the connection drained. */
  run(): void {
    const { writer, connection, parameters } = this.#phase
    const limit = Math.min(this.#phase.maxRecvDataSegmentLength, MAX_PIECE_BYTES)
    while (this.#sent < this.#length) {
      if (this.#sent > 0 && connection.congested) return this.#phase.sleep(this)
      const length = Math.min(limit, this.#length - this.#sent, parameters.maxBurstLength - this.#inBurst)
      const offset = writer.begin(length)
      const { buffer } = writer
      let cold: undefined | Promise<void>
      try {
        cold = this.#source(this.#sent, buffer, offset + writer.dataAt, length)
      } catch (error) {
        connection.unreserve(offset)
        return this.#fail(error)
      }
      if (cold !== undefined) return this.#await(cold, connection.detach(offset, writer.size(length)), length)
      this.#finishPiece(buffer, offset, length)
    }
  }

  #await(cold: Promise<void>, piece: Buffer, length: number): void {
    const finish = () => {
      this.#finishPiece(piece, 0, length)
      this.#phase.connection.send(piece)
      this.run()
    }
    this.#phase.tasks.during(this, cold, finish, error => this.#fail(error))
  }

  /** Header, counters and digests of a piece whose data is there. */
  #finishPiece(buffer: Buffer, offset: number, length: number): void {
    const { numbering, parameters, writer } = this.#phase
    const { set } = dataIn
    set.opcode(buffer, offset, dataIn.opcode)
    set.initiatorTaskTag(buffer, offset, this.command.initiatorTaskTag)
    set.targetTransferTag(buffer, offset, RESERVED_TAG)
    set.dataSn(buffer, offset, this.command.dataSn++)
    set.bufferOffset(buffer, offset, this.#sent)
    this.#sent += length
    this.#inBurst += length
    const last = this.#sent === this.#length
    if (last || this.#inBurst === parameters.maxBurstLength) {
      set.final(buffer, offset, true)
      this.#inBurst = 0
    }
    if (last) this.#addStatus(buffer, offset)
    set.expCmdSn(buffer, offset, numbering.expCmdSn)
    set.maxCmdSn(buffer, offset, numbering.maxCmdSn)
    writer.seal(buffer, offset, length)
  }

  /** Phase collapse: GOOD and the residual travel with the last data [7143 §11.7.3]. */
  #addStatus(buffer: Buffer, offset: number): void {
    const { set } = dataIn
    this.#phase.tasks.close(this.command)
    set.statusPresent(buffer, offset, true)
    set.statSn(buffer, offset, this.#phase.numbering.takeStatSn())
    const residual = this.#wanted - this.command.expectedBytes
    if (residual === 0) return
    if (residual > 0) set.overflow(buffer, offset, true)
    else set.underflow(buffer, offset, true)
    set.residualCount(buffer, offset, Math.abs(residual))
  }

  #fail(error: unknown): void {
    respondSense(this.#phase, this.command, mediumSense(error), this.#sent)
  }
}
