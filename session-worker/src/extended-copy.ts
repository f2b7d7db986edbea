/**
 * EXTENDED COPY: carries segments out one after the other, each piece by piece through the volumes of this session, so that gate and
 * quota hold as for its own READ and WRITE. [SPC-4 §5.17, §6.5]
 *
 * Units are looked for among the LUNs of the session and nowhere else: an initiator reaches by a copy what it reaches by READ and WRITE.
 */
import {
  type BlockSegment,
  designates,
  type ExtendedCopy,
  type FieldPointer,
  hasMedium,
  type SenseCode,
  senseCodes,
  THIS_UNIT,
} from '@scsipub/scsi'
import { CopyFailed } from './copy-failure.js'
import { type CopyRun, type CopyUnit, PIECE_BYTES } from './copy-run.js'
import { type Failure, mediumSense } from './medium-sense.js'

type Luns = ReadonlyMap<number, CopyUnit>
type Unit = 'source' | 'destination'

/** Where the fields of a segment descriptor are, for field pointers [SPC-4 §6.4.6.4]. */
const FIELD = { source: 4, destination: 6, blocks: 10, sourceLba: 12, destinationLba: 20 } as const

/** Does the whole job. Rejects with `CopyFailed`; what earlier segments wrote stays. */
export async function extendedCopy(run: CopyRun, job: ExtendedCopy, luns: Luns): Promise<void> {
  for (const [index, segment] of job.segments.entries()) {
    await new SegmentCopy(run, job, luns, index, segment).carryOut()
    run.segmentsProcessed = index + 1
  }
}

class SegmentCopy {
  readonly #run: CopyRun
  readonly #job: ExtendedCopy
  readonly #luns: Luns
  readonly #index: number
  readonly #segment: BlockSegment
  #written = 0

  constructor(run: CopyRun, job: ExtendedCopy, luns: Luns, index: number, segment: BlockSegment) {
    this.#run = run
    this.#job = job
    this.#luns = luns
    this.#index = index
    this.#segment = segment
  }

  async carryOut(): Promise<void> {
    const { blocks, sourceLba, destinationLba, countsDestination } = this.#segment
    const source = this.#unit('source')
    const destination = this.#unit('destination')
    const bytes = blocks * (countsDestination ? destination : source).lu.blockBytes
    if (bytes % source.lu.blockBytes !== 0 || bytes % destination.lu.blockBytes !== 0)
      throw this.#fault(senseCodes.unexpectedInexactSegment, FIELD.blocks)
    this.#requireRange(source, sourceLba, bytes, FIELD.sourceLba)
    this.#requireRange(destination, destinationLba, bytes, FIELD.destinationLba)
    if (destination.lu.readOnly) throw this.#unitFault('destination', { code: senseCodes.writeProtected })
    await this.#copy({
      source,
      destination,
      from: sourceLba * source.lu.blockBytes,
      to: destinationLba * destination.lu.blockBytes,
      bytes,
    })
  }

  /** The LUN that a CSCD descriptor identifier stands for, if this session has it [SPC-4 §5.17.7.3]. */
  #unit(role: Unit): CopyUnit {
    const identifier = this.#segment[role]
    if (identifier === THIS_UNIT) return this.#run.lun
    const descriptor = this.#job.units[identifier]
    if (!descriptor || descriptor.nul) throw this.#fault(senseCodes.unreachableCopyTarget, FIELD[role])
    const inList = (byte: number): FieldPointer => ({ in: 'parameterList', byte: descriptor.at + byte })
    if (descriptor.peripheralDeviceType !== 0) throw this.#fault(senseCodes.incorrectCopyTargetType, inList(1))
    const lun = [...this.#luns.values()].find(({ lu }) => designates(descriptor.designation, lu))
    if (!lun) throw this.#fault(senseCodes.copyTargetNotReachable, inList(4))
    if (!hasMedium(lun.lu)) throw this.#unitFault(role, { code: senseCodes.mediumNotPresent })
    if (descriptor.blockBytes !== 0 && descriptor.blockBytes !== lun.lu.blockBytes)
      throw this.#fault(senseCodes.incorrectCopyTargetType, inList(29))
    return lun
  }

  #requireRange({ lu }: CopyUnit, lba: number, bytes: number, field: number): void {
    if (lba <= lu.sizeBlocks && bytes / lu.blockBytes <= lu.sizeBlocks - lba) return
    throw this.#fault(senseCodes.copyAborted, field)
  }

  /** From the end when the destination lies over the end of the source, so that nothing is overwritten before it was read. */
  async #copy(o: { source: CopyUnit; destination: CopyUnit; from: number; to: number; bytes: number }): Promise<void> {
    const backwards = o.source.volumeId === o.destination.volumeId && o.to > o.from && o.to < o.from + o.bytes
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, o.bytes))
    while (this.#written < o.bytes) {
      await this.#run.turn(this.#index)
      const length = Math.min(piece.length, o.bytes - this.#written)
      const at = backwards ? o.bytes - this.#written - length : this.#written
      const failed = (unit: Unit) => (error: unknown) => {
        throw this.#unitFault(unit, mediumSense(error), (o.bytes - this.#written) / o.destination.lu.blockBytes)
      }
      await attempt(() => o.source.volume.read(o.from + at, piece, 0, length), failed('source'))
      await attempt(() => o.destination.volume.write(o.to + at, piece, 0, length), failed('destination'))
      this.#written += length
      this.#run.count(length)
    }
  }

  #fault(code: SenseCode, where: number | FieldPointer): CopyFailed {
    const field: FieldPointer = typeof where === 'number' ? { in: 'segment', byte: where } : where
    return new CopyFailed({ code, field, copy: { segment: this.#index } })
  }

  /** INFORMATION tells how many blocks were not written, once some were [SPC-4 §5.17.7.3]. */
  #unitFault(unit: Unit, sense: Failure, residual = 0): CopyFailed {
    return new CopyFailed({
      code: senseCodes.thirdPartyDeviceFailure,
      copy: { segment: this.#index, ...(sense === 'reservationConflict' ? {} : { failed: { unit, sense } }) },
      ...(this.#written === 0 ? {} : { information: BigInt(residual) }),
    })
  }
}

/** `action` may be done at once, take its time, throw or reject. */
async function attempt(action: () => undefined | Promise<void>, failed: (error: unknown) => never): Promise<void> {
  try {
    await action()
  } catch (error) {
    failed(error)
  }
}
