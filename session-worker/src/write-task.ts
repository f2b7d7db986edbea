/**
 * A command that takes data from the initiator: immediate and unsolicited data first, the rest asked for by R2T, several at a time.
 * All of it is collected before anything is done with it, so a command that is aborted half received has changed nothing.
 * [7143 §4.2.4, §11.7, §11.8]
 */
import type { WriteRecord } from '@scsipub/contract'
import { RESERVED_TAG, r2t } from '@scsipub/iscsi'
import { encodeLun, senseCodes } from '@scsipub/scsi'
import { type Command, recordOfCommand, type Task } from './command.js'
import type { FullFeature } from './full-feature.js'
import { respondSense } from './scsi-response.js'

/** One R2T that has been sent and is not fully answered. */
interface Transfer {
  readonly end: number
  next: number
  dataSn: number
}

/** What is done with the data, once all `expected` bytes are there. Must end the command. */
export type Sink = (task: WriteTask, data: Buffer) => void

export interface DataOutPiece {
  readonly buffer: Buffer
  readonly dataAt: number
  readonly length: number
  readonly targetTransferTag: number
  readonly dataSn: number
  readonly bufferOffset: number
  readonly final: boolean
}

const nothing = Buffer.alloc(0)

export class WriteTask implements Task {
  aborted = false
  pending: Promise<void> | undefined
  readonly command: Command
  /** Bytes that the command takes: never more than the initiator offers. */
  readonly expected: number
  readonly #cdb: Buffer
  readonly #phase: FullFeature
  readonly #sink: Sink
  readonly #transfers = new Map<number, Transfer>()
  #data = nothing
  /** Unsolicited data may still come, from this offset on; undefined when its end was seen. */
  #unsolicited: { next: number; dataSn: number } | undefined
  #received = 0
  #solicited = 0

  /** `cdb`: 16 bytes, which are the task's. */
  constructor(phase: FullFeature, command: Command, expected: number, cdb: Buffer, sink: Sink) {
    this.command = command
    this.#cdb = cdb
    this.expected = expected
    this.#phase = phase
    this.#sink = sink
  }

  /** Takes the data that came with the command, of which what exceeds `expected` is dropped. */
  begin(buffer: Buffer, dataAt: number, length: number): void {
    // Until the session's budget has room for all of it, only what is unsolicited is held.
    const unsolicited = this.command.final ? length : this.#phase.parameters.firstBurstLength
    this.#grow(Math.min(this.expected, unsolicited))
    this.#store(buffer, dataAt, length, 0)
    this.#solicited = Math.min(length, this.expected)
    if (this.command.final) this.#phase.tasks.budget.ask(this)
    else this.#unsolicited = { next: length, dataSn: 0 }
  }

  /** See `Task`: while it waits for data. What came is in front of the first gap of the last R2T. */
  record(): WriteRecord {
    const transfers = [...this.#transfers].map(([targetTransferTag, transfer]) => ({ targetTransferTag, ...transfer }))
    const last = transfers.find(({ end }) => end === this.#solicited)
    const filled = this.#unsolicited?.next ?? last?.next ?? this.#solicited
    return {
      kind: 'write',
      command: recordOfCommand(this.command),
      cdb: new Uint8Array(this.#cdb),
      data: new Uint8Array(this.#data.subarray(0, filled)),
      received: this.#received,
      solicited: this.#solicited,
      ...(this.#unsolicited && { unsolicited: { ...this.#unsolicited } }),
      transfers,
    }
  }

  /** In place of `begin`: as another worker has recorded it. */
  restore({ data, received, solicited, unsolicited, transfers }: WriteRecord): void {
    // Room has been granted when something was asked for.
    const unasked = unsolicited ? Math.min(this.expected, this.#phase.parameters.firstBurstLength) : solicited
    this.#grow(transfers.length > 0 ? this.expected : unasked)
    Buffer.from(data.buffer, data.byteOffset, data.length).copy(this.#data)
    this.#received = received
    this.#solicited = solicited
    this.#unsolicited = unsolicited && { ...unsolicited }
    for (const { targetTransferTag, ...transfer } of transfers) this.#transfers.set(targetTransferTag, transfer)
  }

  /** Room for the data is granted: asks for what is missing, and acts when nothing is. */
  run(): void {
    this.#grow(this.expected)
    this.#solicit()
    if (this.#received === this.expected && this.#transfers.size === 0) this.#sink(this, this.#data)
  }

  /** Whether an R2T of this task gave out the tag and still waits for data. */
  expects(targetTransferTag: number): boolean {
    return this.#transfers.has(targetTransferTag)
  }

  dataOut(piece: DataOutPiece): void {
    if (piece.targetTransferTag === RESERVED_TAG) this.#unsolicitedPiece(piece)
    else this.#solicitedPiece(piece)
  }

  #unsolicitedPiece(piece: DataOutPiece): void {
    const sequence = this.#unsolicited
    if (!sequence) return this.#fail(senseCodes.unexpectedUnsolicitedData)
    const end = piece.bufferOffset + piece.length
    const limit = Math.min(this.#phase.parameters.firstBurstLength, this.command.expectedBytes)
    if (piece.bufferOffset !== sequence.next || piece.dataSn !== sequence.dataSn || end > limit) {
      return this.#fail(senseCodes.dataPhaseError)
    }
    this.#store(piece.buffer, piece.dataAt, piece.length, piece.bufferOffset)
    sequence.next = end
    sequence.dataSn++
    if (!piece.final) return
    this.#unsolicited = undefined
    this.#solicited = Math.min(end, this.expected)
    this.#phase.tasks.budget.ask(this)
  }

  #solicitedPiece(piece: DataOutPiece): void {
    const transfer = this.#transfers.get(piece.targetTransferTag)!
    const end = piece.bufferOffset + piece.length
    const last = end === transfer.end
    if (
      piece.bufferOffset !== transfer.next ||
      piece.dataSn !== transfer.dataSn ||
      end > transfer.end ||
      piece.final !== last
    ) {
      return this.#fail(senseCodes.dataPhaseError)
    }
    this.#store(piece.buffer, piece.dataAt, piece.length, piece.bufferOffset)
    transfer.next = end
    transfer.dataSn++
    if (!last) return
    this.#transfers.delete(piece.targetTransferTag)
    this.run()
  }

  #store(buffer: Buffer, dataAt: number, length: number, offset: number): void {
    const taken = Math.max(0, Math.min(length, this.expected - offset))
    if (taken > 0) buffer.copy(this.#data, offset, dataAt, dataAt + taken)
    this.#received += taken
  }

  #solicit(): void {
    const { parameters } = this.#phase
    while (this.#solicited < this.expected && this.#transfers.size < parameters.maxOutstandingR2T) {
      const length = Math.min(this.expected - this.#solicited, parameters.maxBurstLength)
      this.#sendR2t(this.#solicited, length)
      this.#solicited += length
    }
  }

  #sendR2t(bufferOffset: number, length: number): void {
    const { writer, numbering } = this.#phase
    const targetTransferTag = this.#phase.takeTransferTag()
    const offset = writer.begin(0)
    const { buffer } = writer
    r2t.encode(
      {
        initiatorTaskTag: this.command.initiatorTaskTag,
        lun: encodeLun(this.command.lun?.lun ?? 0),
        targetTransferTag,
        ...numbering.notice(),
        r2tSn: this.command.dataSn++,
        bufferOffset,
        desiredDataTransferLength: length,
      },
      buffer,
      offset,
    )
    writer.seal(buffer, offset, 0)
    this.#transfers.set(targetTransferTag, { end: bufferOffset + length, next: bufferOffset, dataSn: 0 })
  }

  #grow(bytes: number): void {
    if (bytes <= this.#data.length) return
    const larger = Buffer.allocUnsafeSlow(bytes)
    this.#data.copy(larger, 0, 0, this.#received)
    this.#data = larger
  }

  #fail(code: (typeof senseCodes)[keyof typeof senseCodes]): void {
    this.aborted = true
    respondSense(this.#phase, this.command, { code })
  }
}
