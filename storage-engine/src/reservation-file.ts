/**
 * `reservations.json`: registrations and persistent reservation of a volume, for as long as initiators want them kept through a loss of power
 * (APTPL) [SPC-4 §5.13.5]. It is there only then. A checksum tells damage from an honest state: a fence that is read wrongly lets somebody in,
 * so that a volume whose file is damaged is not opened.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32c } from '@scsipub/bytes'
import { compileSchema, faults, RpcError } from '@scsipub/contract'
import {
  isAllRegistrants,
  isReservationType,
  MAX_REGISTRATIONS,
  NO_RESERVATIONS,
  type ReservationState,
} from '@scsipub/scsi'
import { removeWhole, writeWhole } from './whole-file.js'

/** What is kept. PRGENERATION begins anew [SPC-4 §6.15.2]. */
interface Kept {
  registrations: { port: string; key: string; allTargetPorts: boolean }[]
  reservation?: { type: number; holder?: string }
}

interface Content {
  format: 1
  /** CRC32C of `kept` as JSON without white space, 8 hexadecimal digits. */
  checksum: string
  kept: Kept
}

const isContent = compileSchema<Content>({
  properties: {
    format: { type: 'uint8' },
    checksum: { type: 'string' },
    kept: {
      properties: {
        registrations: {
          elements: {
            properties: { port: { type: 'string' }, key: { type: 'string' }, allTargetPorts: { type: 'boolean' } },
          },
        },
      },
      optionalProperties: {
        reservation: { properties: { type: { type: 'uint8' } }, optionalProperties: { holder: { type: 'string' } } },
      },
    },
  },
})
const KEY = /^[0-9a-f]{16}$/

export class ReservationFile {
  readonly #path: string
  readonly #volumeId: string

  /** The file of the volume in `directory`. */
  constructor(directory: string, volumeId: string) {
    this.#path = join(directory, 'reservations.json')
    this.#volumeId = volumeId
  }

  /** Writes the state, or removes the file when it is not to be kept; durable when it returns. Throws `RpcError` 'io'. */
  store(state: ReservationState): void {
    try {
      if (state.persistent) writeWhole(this.#path, `${JSON.stringify(contentOf(state), null, 2)}\n`)
      else removeWhole(this.#path)
    } catch (error) {
      throw new RpcError('io', `volume ${this.#volumeId}: ${this.#path} cannot be written: ${(error as Error).message}`)
    }
  }

  /** The state that was kept; none when there is no file. Throws `RpcError` 'damaged'. */
  load(): ReservationState {
    let content: unknown
    try {
      content = JSON.parse(readFileSync(this.#path, 'utf8'))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NO_RESERVATIONS
      throw this.#damaged(`cannot be read: ${(error as Error).message}`)
    }
    if (!isContent(content)) throw this.#damaged(`is not as it should be: ${faults(isContent)}`)
    if (content.format !== 1) throw this.#damaged(`has the unknown format ${String(content.format)}`)
    if (content.checksum !== checksum(content.kept)) throw this.#damaged('has a wrong checksum')
    const state = stateOf(content.kept)
    if (state === undefined) throw this.#damaged('contradicts itself')
    return state
  }

  #damaged(what: string): RpcError {
    const advice = 'Restore the file; or remove it, if no host that was fenced off the disk can still write to it'
    return new RpcError('damaged', `volume ${this.#volumeId} is refused: ${this.#path} ${what}. ${advice}`)
  }
}

function checksum(kept: Kept): string {
  return crc32c(Buffer.from(JSON.stringify(kept)))
    .toString(16)
    .padStart(8, '0')
}

function contentOf({ registrations, reservation }: ReservationState): Content {
  const held = reservation && {
    type: reservation.type,
    ...(reservation.holder === undefined ? {} : { holder: reservation.holder }),
  }
  const kept: Kept = {
    registrations: registrations.map(({ port, key, allTargetPorts }) => ({ port, key, allTargetPorts })),
    ...(held && { reservation: held }),
  }
  return { format: 1, checksum: checksum(kept), kept }
}

/** Undefined when there cannot be such a state. */
function stateOf({ registrations, reservation }: Kept): ReservationState | undefined {
  const ports = new Set(registrations.map(({ port }) => port))
  const sound = registrations.length <= MAX_REGISTRATIONS && registrations.every(({ key }) => KEY.test(key))
  if (!sound || ports.size !== registrations.length) return undefined
  const state = { ...NO_RESERVATIONS, persistent: true, registrations }
  if (reservation === undefined) return state
  const { type, holder } = reservation
  if (!isReservationType(type)) return undefined
  const held = isAllRegistrants(type)
    ? holder === undefined && ports.size > 0
    : holder !== undefined && ports.has(holder)
  return held ? { ...state, reservation: { type, holder } } : undefined
}
