/**
 * Operations that have to be alone on a volume: the storage engine does them, with the gate closed and nothing in flight. A session worker
 * asks for one by `volume.exclusive`; the answer is the operation's result, or an error with a code of `VolumeErrorCode`.
 *
 * A new operation is one row of the schema, one row of the results, and one function in the storage engine. Positions and lengths are bytes in the
 * volume, multiples of a sector. Data cannot be described by the schema; it is added to the type and checked by hand.
 */
import type { JTDDataType } from 'ajv/dist/core.js'

export const exclusiveOperationSchema = {
  discriminator: 'name',
  mapping: {
    /** Writes the second half of `data` if what lies at `position` equals the first half. [SBC-3 §5.2] */
    compareAndWrite: { properties: { position: { type: 'float64' }, data: {} } },
    /** Sets the bits of `data` in what lies at `position`. [SBC-3 §5.5] */
    orWrite: { properties: { position: { type: 'float64' }, data: {} } },
    /** Writes `data`, all of it or nothing, whatever happens. It is durable when done. [SBC-4 §4.29] */
    writeAtomic: { properties: { position: { type: 'float64' }, data: {} } },
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
}
