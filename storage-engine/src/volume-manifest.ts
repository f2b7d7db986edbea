/**
 * `volume.json`: what a persistent volume is and who it is. Written before the volume gets its name, and again when a snapshot is taken of it or its size changes.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileSchema, faults, identitySchema, RpcError, type VolumeSpec, volumeSpecSchema } from '@scsipub/contract'
import type { Identity } from './identity.js'
import { invalidSpec, VOLUME_ID } from './volume-spec.js'
import { writeWhole } from './whole-file.js'

export interface VolumeManifest {
  format: 1
  spec: VolumeSpec
  identity: Identity
  /** The snapshot that it stands on now, since that was taken of it; else it stands on what the specification says. */
  standsOn?: string
}

/** JTD. */
export const volumeManifestSchema = {
  properties: { format: { type: 'uint8' }, spec: volumeSpecSchema, identity: identitySchema },
  optionalProperties: { standsOn: { type: 'string' } },
} as const
const isManifest = compileSchema<VolumeManifest>(volumeManifestSchema)
const HEX_32 = /^[0-9a-f]{32}$/

/** Writes the file whole or not at all, durably. Throws system errors. */
export function writeManifest(directory: string, manifest: VolumeManifest): void {
  writeWhole(join(directory, 'volume.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** Reads and checks the file. Throws `RpcError` 'damaged' with the volume's name. */
export function readManifest(directory: string, volumeId: string): VolumeManifest {
  const path = join(directory, 'volume.json')
  const damaged = (what: string) =>
    new RpcError(
      'damaged',
      `volume ${volumeId} is refused: ${path} ${what}. Restore the file, or move ${directory} away to begin with an empty disk`,
    )
  let manifest: unknown
  try {
    manifest = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw damaged(`cannot be read: ${(error as Error).message}`)
  }
  if (!isManifest(manifest)) throw damaged(`is not as it should be: ${faults(isManifest)}`)
  if (manifest.format !== 1) throw damaged(`has the unknown format ${String(manifest.format)}`)
  const { spec, identity, standsOn } = manifest
  const wrong = invalidSpec(spec)
  if (wrong) throw damaged(`is not as it should be: ${wrong}`)
  if (spec.volumeId !== volumeId) throw damaged(`belongs to volume ${spec.volumeId}`)
  if (standsOn !== undefined && !VOLUME_ID.test(standsOn)) throw damaged('stands on something that is no snapshot')
  if (!HEX_32.test(identity.naa) || !identity.naa.startsWith('6') || !HEX_32.test(identity.serial))
    throw damaged('has no valid identity')
  return manifest
}
