/**
 * What a borrowed volume asks of the storage engine, with errors in terms of I/O.
 */
import type { BorrowerRequest, EngineReplies, Requester, VolumeDescriptor, VolumeFiles } from '@scsipub/contract'
import { VolumeError, type VolumeErrorCode } from './volume-error.js'

type Engine = Pick<Requester<BorrowerRequest, EngineReplies>, 'ask'>

export class VolumeSource {
  readonly #engine: Engine
  readonly #volumeId: string
  readonly #naa: string

  constructor(engine: Engine, { spec, identity }: VolumeDescriptor) {
    this.#engine = engine
    this.#volumeId = spec.volumeId
    this.#naa = identity.naa
  }

  /** The volume's files; makes them if there are none. Rejects with VolumeError. */
  async materialise(): Promise<VolumeFiles> {
    try {
      return await this.#engine.ask({ kind: 'volume.materialise', volumeId: this.#volumeId })
    } catch (error) {
      throw fromReply(error)
    }
  }

  /** The descriptor as it is now. Rejects with VolumeError, 'gone' also when another volume has its name now. */
  async renew(): Promise<VolumeDescriptor> {
    let renewed: VolumeDescriptor
    try {
      renewed = await this.#engine.ask({ kind: 'volume.renew', volumeId: this.#volumeId })
    } catch (error) {
      throw fromReply(error)
    }
    if (renewed.identity.naa === this.#naa) return renewed
    throw new VolumeError('gone', `the volume ${this.#volumeId} has been destroyed, and another one has its name`)
  }
}

const CODES: ReadonlySet<unknown> = new Set<VolumeErrorCode>([
  'space',
  'io-read',
  'io-write',
  'gone',
  'busy',
  'sanitizing',
  'sanitize-failed',
  'reserved',
  'no-medium',
])

/** What the engine refused, as the error of an I/O. */
export function fromReply(error: unknown): VolumeError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const known = CODES.has(code) ? (code as VolumeErrorCode) : 'io-write'
  return new VolumeError(known, error instanceof Error ? error.message : String(error), { cause: error })
}
