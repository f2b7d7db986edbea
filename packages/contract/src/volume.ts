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
 * `sizeBytes`, `quotaBytes`: multiples of 512; quota 0 = none. `basePath`: the image that it begins as;
 * `baseSnapshot`: the snapshot that it is a clone of; at most one of them, neither = a blank disk. A base that is shorter than the volume is followed by zeros.
 */
export const volumeSpecSchema = {
  properties: {
    volumeId: { type: 'string' },
    persistence: { enum: ['ephemeral', 'persistent'] },
    sizeBytes: { type: 'float64' },
    blockBytes: { type: 'uint32' },
    quotaBytes: { type: 'float64' },
  },
  optionalProperties: { basePath: { type: 'string' }, baseSnapshot: { type: 'string' } },
} as const
export type VolumeSpec = JTDDataType<typeof volumeSpecSchema>

/** Where the files of a volume lie. A volume that has never been written to has none (`materialised` false). */
export const volumeFilesSchema = {
  properties: { overlayPath: { type: 'string' }, bitmapPath: { type: 'string' } },
} as const
export type VolumeFiles = JTDDataType<typeof volumeFilesSchema>

/** Overlay and bitmap of a snapshot, which never change. `layerId` belongs to these files alone, whatever their names are used for later. */
export const layerFilesSchema = {
  properties: {
    layerId: { type: 'string' },
    overlayPath: { type: 'string' },
    bitmapPath: { type: 'string' },
    sizeBytes: { type: 'float64' },
  },
} as const
export type LayerFiles = JTDDataType<typeof layerFilesSchema>

/** What a volume stands on: the layers of snapshots, nearest first, and under them an image, or nothing. */
export const volumeBaseSchema = {
  properties: { layers: { elements: layerFilesSchema } },
  optionalProperties: { imagePath: { type: 'string' } },
} as const
export type VolumeBase = JTDDataType<typeof volumeBaseSchema>

/** `base` absent: the image that the specification names, or nothing. */
export const volumeDescriptorSchema = {
  properties: {
    spec: volumeSpecSchema,
    identity: identitySchema,
    control: {},
  },
  optionalProperties: { files: volumeFilesSchema, base: volumeBaseSchema },
} as const
export type VolumeDescriptor = Omit<JTDDataType<typeof volumeDescriptorSchema>, 'control'> & {
  control: SharedArrayBuffer
}

/** What the volume of a descriptor stands on; undefined when nothing is there and all that nobody has written is zeros. */
export function baseOf({ spec, base }: Pick<VolumeDescriptor, 'spec' | 'base'>): VolumeBase | undefined {
  if (base) return base.layers.length > 0 || base.imagePath !== undefined ? base : undefined
  return spec.basePath === undefined ? undefined : { layers: [], imagePath: spec.basePath }
}
