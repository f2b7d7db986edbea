/**
 * Operations that have to be alone on a volume: the storage engine does them, with the gate closed and nothing in flight. A session worker
 * asks for one by `volume.exclusive`; the answer is the operation's result, or an error with a code of `VolumeErrorCode`.
 *
 * A new operation is one row of the schema, one row of the results, and one function in the storage engine. Positions and lengths are bytes in the
 * volume, multiples of a sector. Data cannot be described by the schema; it is added to the type and checked by hand.
 */
import type { JTDDataType } from 'ajv/dist/core.js'

const extent = { position: { type: 'float64' }, length: { type: 'float64' } } as const

export const exclusiveOperationSchema = {
  discriminator: 'name',
  mapping: {
    /** Writes the second half of `data` if what lies at `position` equals the first half. [SBC-3 §5.2] */
    compareAndWrite: { properties: { position: { type: 'float64' }, data: {} } },
    /** Sets the bits of `data` in what lies at `position`. [SBC-3 §5.5] */
    orWrite: { properties: { position: { type: 'float64' }, data: {} } },
    /** Writes `data`, all of it or nothing, whatever happens. It is durable when done. [SBC-4 §4.29] */
    writeAtomic: { properties: { position: { type: 'float64' }, data: {} } },
    /** Deallocates ranges, or with `anchor` makes them zeros that keep their room. [SBC-3 §5.28] */
    unmap: { properties: { ranges: { elements: { properties: extent } }, anchor: { type: 'boolean' } } },
    /** Writes `data`, one block, over a range; with `unmap`, deallocates (or anchors) instead if it is all zeros. [SBC-3 §5.42] */
    writeSame: { properties: { ...extent, data: {}, unmap: { type: 'boolean' }, anchor: { type: 'boolean' } } },
    /** Tells what is mapped, in at most `limit` runs of whole blocks, which may end early. [SBC-3 §5.6] */
    lbaStatus: { properties: { ...extent, limit: { type: 'uint32' } } },
    /**
     * Begins to sanitize the volume; the answer comes when that is under way, `volume.sanitized` tells its end. `data`: for `overwrite`, one block for each pass, one after the
     * other; else nothing. [SBC-3 §5.24]
     */
    sanitize: {
      properties: { method: { enum: ['erase', 'overwrite'] }, data: {}, allowExit: { type: 'boolean' } },
    },
    /** Gives up a sanitize operation that has failed. */
    exitSanitizeFailure: { properties: {} },
  },
} as const
type OperationData = JTDDataType<typeof exclusiveOperationSchema>
type WithBytes<T> = T extends { data: unknown } ? Omit<T, 'data'> & { data: Uint8Array } : T

/** What is to be done. */
export type ExclusiveOperation = WithBytes<OperationData>
export type ExclusiveName = ExclusiveOperation['name']

/** What comes of it, by name. */
export interface ExclusiveResults {
  /** `miscompareAt`: offset of the first byte that differs, and nothing was written. */
  compareAndWrite: { miscompareAt?: number }
  orWrite: Record<string, never>
  writeAtomic: Record<string, never>
  unmap: Record<string, never>
  writeSame: Record<string, never>
  /** `status`: 0 mapped, 1 deallocated, 2 anchored. */
  lbaStatus: { runs: { position: number; length: number; status: 0 | 1 | 2 }[] }
  /** `restricted`: an operation that has failed does not allow this, and nothing was done. */
  sanitize: { restricted: boolean }
  exitSanitizeFailure: { restricted: boolean }
}
