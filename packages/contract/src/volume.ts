/**
 * What the supervisor asks of the storage engine to make a volume, and what a borrower gets to use it.
 *
 * The types come from JTD schemas (RFC 8927), so that the validator and the compiler agree. Shared memory cannot be
 * described by a schema; it is added to the type and checked by hand.
 */
import type { JTDDataType } from 'ajv/dist/core.js'

export const identitySchema = {
  properties: { naa: { type: 'string' }, serial: { type: 'string' } },
} as const

/**
 * `persistence` `ephemeral`: gone when it is destroyed or the server starts again; nothing is ever synced.
 * `sizeBytes`, `quotaBytes`: multiples of 512; quota 0 = none. `basePath` absent = a blank disk. A base that is shorter than
 * the volume is followed by zeros.
 */
export const volumeSpecSchema = {
  properties: {
    volumeId: { type: 'string' },
    persistence: { enum: ['ephemeral', 'persistent'] },
    sizeBytes: { type: 'float64' },
    blockBytes: { type: 'uint32' },
    quotaBytes: { type: 'float64' },
  },
  optionalProperties: { basePath: { type: 'string' } },
} as const
export type VolumeSpec = JTDDataType<typeof volumeSpecSchema>

/** Where the files of a volume lie. A volume that has never been written to has none (`materialised` false). */
export const volumeFilesSchema = {
  properties: { overlayPath: { type: 'string' }, bitmapPath: { type: 'string' } },
} as const
export type VolumeFiles = JTDDataType<typeof volumeFilesSchema>

export const volumeDescriptorSchema = {
  properties: {
    spec: volumeSpecSchema,
    identity: identitySchema,
    control: {},
  },
  optionalProperties: { files: volumeFilesSchema },
} as const
export type VolumeDescriptor = Omit<JTDDataType<typeof volumeDescriptorSchema>, 'control'> & {
  control: SharedArrayBuffer
}
