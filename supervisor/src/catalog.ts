/**
 * The catalog: every image that `dataDir/catalog/*.json` describes. A manifest that comes or goes is seen at the next
 * login, by the folder's time of change (one `stat`); a manifest or image that changes in place, within a second or by `reload`.
 *
 * Left out: images that sessions use while they are replaced. A new version belongs in a new file.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from './log.js'
import { type Image, readManifest } from './manifest.js'

const FULL_CHECK_MS = 1000
/** A folder that changes twice within a tick of the kernel's clock may keep its time of change; a tick is 10 ms at most. */
const TICK_MS = 20

export class Catalog {
  readonly #folder: string
  readonly #log: Log
  #images: ReadonlyMap<string, Image> = new Map()
  #folderTime = Number.NaN
  /** The folder had just changed when it was looked into, so that its time may not tell of the next change. */
  #isYoung = true
  #fingerprint = ''
  #checkedAt = Number.NEGATIVE_INFINITY
  #warned = new Set<string>()

  /** `folder` must exist. */
  constructor(folder: string, log: Log) {
    this.#folder = folder
    this.#log = log
    this.reload()
  }

  /** The images by name, as the folder says now. */
  images(): ReadonlyMap<string, Image> {
    const folderTime = timeOf(this.#folder)
    const now = performance.now()
    if (folderTime !== this.#folderTime) this.#read()
    else if (this.#isYoung || now - this.#checkedAt >= FULL_CHECK_MS) {
      this.#checkedAt = now
      this.#isYoung = isYoung(folderTime)
      if (this.#print() !== this.#fingerprint) this.#read()
    }
    return this.#images
  }

  /** Reads everything again, and warns again of what is still wrong. */
  reload(): void {
    this.#warned = new Set()
    this.#read()
  }

  #read(): void {
    this.#folderTime = timeOf(this.#folder)
    this.#isYoung = isYoung(this.#folderTime)
    this.#checkedAt = performance.now()
    this.#fingerprint = this.#print()
    const images = new Map<string, Image>()
    const warnings = new Set<string>()
    for (const file of this.#files('.json')) {
      const image = readManifest(join(this.#folder, file))
      const why =
        typeof image === 'string'
          ? image
          : images.has(image.name)
            ? `another manifest has the name "${image.name}" too`
            : undefined
      if (why !== undefined) warnings.add(JSON.stringify({ manifest: file, why }))
      else if (typeof image !== 'string') images.set(image.name, image)
    }
    for (const warning of warnings) {
      if (!this.#warned.has(warning))
        this.#log.warn({ event: 'catalog.image.skipped', ...(JSON.parse(warning) as object) })
    }
    this.#warned = warnings
    this.#images = images
  }

  /** What would be different if anything were. */
  #print(): string {
    return this.#files('')
      .map(file => `${file} ${timeOf(join(this.#folder, file))}`)
      .join('\n')
  }

  #files(ending: string): string[] {
    try {
      return readdirSync(this.#folder)
        .filter(file => file.endsWith(ending) && !file.startsWith('.'))
        .sort()
    } catch (error) {
      this.#log.error({ event: 'catalog.unreadable', folder: this.#folder, error: String(error) })
      return []
    }
  }
}

function isYoung(folderTime: number): boolean {
  return Date.now() - folderTime < TICK_MS
}

/** Time of change and size, in one number that differs when either does; NaN when there is nothing. */
function timeOf(path: string): number {
  const status = statSync(path, { throwIfNoEntry: false })
  return status ? status.mtimeMs + status.size / 2 ** 53 : -1
}
