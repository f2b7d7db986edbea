/**
 * A command that sends data to the initiator: Data-In PDUs cut to what the initiator takes, the last one with the status.
 * [7143 §11.7]
 *
 * Data from memory and data from the page cache are sent in the same synchronous section. A cold piece is awaited with its room in the output
 * detached, and a congested connection puts the task to sleep until it drained; so a slow reader holds one piece, not a transfer.
 *
 * Several pieces of a volume are read with exclusive operations held off, so that none of them is seen by half; up to the length of the longest
 * WRITE ATOMIC this is so without exception, a longer transfer lets them in while it sleeps. [SBC-4 §4.29]
 */
import type { ReadRecord } from '@scsipub/contract'
import { dataIn, RESERVED_TAG } from '@scsipub/iscsi'
import { maxAtomicBlocks } from '@scsipub/scsi'
import type { BorrowedVolume } from '@scsipub/volume'
import { type Command, recordOfCommand, type Task } from './command.js'
import type { FullFeature } from './full-feature.js'
import { mediumSense } from './medium-sense.js'
import { respondSense } from './scsi-response.js'

/** Largest piece of one Data-In PDU, whatever the initiator takes: it should still be in the cache when the kernel copies it. */
const MAX_PIECE_BYTES = 64 << 10

/** Fills `length` bytes at `at` of `target` with what lies at `position` of the transfer; undefined when done at once. */
export type Source = (position: number, target: Buffer, at: number, length: number) => undefined | Promise<void>

/** What a transfer of several pieces of a volume needs. */
interface Span {
  readonly volume: BorrowedVolume
  /** Where it begins there, in bytes. */
  readonly start: number
  /** It does not sleep in between. */
  readonly undivided: boolean
  /** Cold reads that the hold is kept for. */
  kept: number
}

export class ReadTask implements Task {
  aborted = false
  pending: Promise<void> | undefined
  readonly command: Command
  readonly #phase: FullFeature
  readonly #source: Source
  /** Bytes that the command moves, and how many of them the initiator has room for. */
  readonly #wanted: number
  readonly #length: number
  #span: Span | undefined
  #sent = 0
  #inBurst = 0

  constructor(phase: FullFeature, command: Command, wanted: number, source: Source) {
    this.command = command
    this.#phase = phase
    this.#source = source
    this.#wanted = wanted
    this.#length = Math.min(wanted, command.expectedBytes)
  }

  /** Begins the transfer. One of several pieces counts in the command window from the first on, so that MaxCmdSN never moves back. `volume`: where the source takes the data from, and from which byte on, when it does. */
  start(volume?: BorrowedVolume, start = 0): void {
    if (
      this.#length >
      Math.min(this.#phase.maxRecvDataSegmentLength, MAX_PIECE_BYTES, this.#phase.parameters.maxBurstLength)
    ) {
      this.#phase.tasks.keep(this)
      if (volume) this.#spanOf(volume, start)
    }
    this.run()
  }

  #spanOf(volume: BorrowedVolume, start: number): void {
    const undivided = this.#length <= maxAtomicBlocks(this.command.lun!.lu) * volume.blockBytes
    this.#span = { volume, start, undivided, kept: 0 }
  }

  /** See `Task`: while it sleeps. */
  record(): ReadRecord {
    const command = recordOfCommand(this.command)
    const at = { wanted: this.#wanted, sent: this.#sent, inBurst: this.#inBurst }
    if (this.#span) return { kind: 'read', command, ...at, from: { start: this.#span.start } }
    const data = Buffer.allocUnsafeSlow(this.#length - this.#sent)
    void this.#source(this.#sent, data, 0, data.length)
    return { kind: 'read', command, ...at, from: { data } }
  }

  /** In place of `start`: as another worker has recorded it. It sleeps. */
  restore({ sent, inBurst, from }: ReadRecord): void {
    this.#sent = sent
    this.#inBurst = inBurst
    if ('start' in from) this.#spanOf(this.command.lun!.volume, from.start)
    this.#phase.sleep(this)
  }

  /** Sends as much as can be sent now; goes on by itself when a cold piece is there or the connection drained. */
  run(): void {
    const span = this.#span
    if (!span) return this.#sendPieces()
    const { volume } = span
    if (!volume.hold(span.kept > 0)) {
      return this.#phase.tasks.during(
        this,
        volume.admission(),
        () => this.run(),
        error => this.#fail(error),
      )
    }
    try {
      this.#sendPieces()
    } finally {
      volume.unhold()
    }
  }

  #sendPieces(): void {
    const { writer, connection, parameters } = this.#phase
    const limit = Math.min(this.#phase.maxRecvDataSegmentLength, MAX_PIECE_BYTES)
    while (this.#sent < this.#length) {
      if (this.#sent > 0 && connection.congested && this.#span?.undivided !== true) return this.#phase.sleep(this)
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
    if (this.#span) this.#keepHold(this.#span)
  }

  /** Keeps the hold of the running section until what is pending has settled and gone on, or was aborted. */
  #keepHold(span: Span): void {
    span.volume.hold(true)
    span.kept++
    void this.pending!.finally(() => {
      span.kept--
      span.volume.unhold()
    })
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
    this.#phase.counters.answered(this.command.io, this.command.beganUs, this.#length)
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
