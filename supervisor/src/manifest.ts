/**
 * A catalog manifest: `{ "name": "debian-12", "title": "…", "file": "debian-12.img" }` beside its image. Reading one gives
 * the image or, as text, why there is none; a bad manifest costs its own image and nothing else.
 */
import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { BUILT_IN_TARGETS, MAX_LUN_BYTES, NAME_PATTERN } from '@scsipub/config'
import { compileRecord } from './record-schema.js'

/** A base image. `sizeBytes` is that of the disk: the file's, rounded up to a sector; what is missing reads as zeros. */
export interface Image {
  readonly name: string
  readonly title: string
  readonly path: string
  readonly sizeBytes: number
}

interface Manifest {
  name: string
  title?: string
  file: string
}

const SECTOR_BYTES = 512
const MAX_MANIFEST_BYTES = 65_536

const validate = compileRecord<Manifest>({
  type: 'object',
  additionalProperties: false,
  required: ['name', 'file'],
  properties: {
    name: { type: 'string', pattern: NAME_PATTERN },
    title: { type: 'string', maxLength: 200 },
    // One path segment: the image lies in the catalog folder itself.
    file: { type: 'string', pattern: '^[^/\\u0000]{1,255}$' },
  },
})

/** Reads the manifest at `path`; a string says what is wrong with it or its image. */
export function readManifest(path: string): Image | string {
  try {
    if (statSync(path).size > MAX_MANIFEST_BYTES) return `is longer than ${MAX_MANIFEST_BYTES} bytes`
    const manifest: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (!validate(manifest)) {
      return (validate.errors ?? [])
        .map(error => `${error.instancePath || 'it'} ${error.message ?? 'is wrong'}`)
        .join('; ')
    }
    if (BUILT_IN_TARGETS.includes(manifest.name)) return `"${manifest.name}" is the name of a built-in target`
    return imageOf(manifest, dirname(path))
  } catch (error) {
    return (error as Error).message
  }
}

function imageOf({ name, title, file }: Manifest, folder: string): Image | string {
  const path = realpathSync(join(folder, file))
  if (dirname(path) !== realpathSync(folder)) return `its image "${basename(file)}" does not lie in the catalog folder`
  const status = statSync(path)
  if (!status.isFile()) return `its image "${file}" is not a file`
  if (status.size === 0) return `its image "${file}" is empty`
  if (status.size > MAX_LUN_BYTES) return `its image "${file}" is larger than ${MAX_LUN_BYTES} bytes`
  accessSync(path, constants.R_OK)
  return { name, title: title ?? name, path, sizeBytes: Math.ceil(status.size / SECTOR_BYTES) * SECTOR_BYTES }
}
