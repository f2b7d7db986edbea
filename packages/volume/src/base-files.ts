/**
 * Base images that are open in this worker: one descriptor a path, however many volumes stand on it. A base never
 * changes while a volume refers to it.
 */
import { DataFile } from './data-file.js'
import { readFailure } from './volume-error.js'

interface Entry {
  file: DataFile
  users: number
}

export class BaseFiles {
  readonly #entries = new Map<string, Entry>()

  /** Opens the base or shares the open one; each `take` needs a `drop`. Throws VolumeError. */
  take(path: string): DataFile {
    let entry = this.#entries.get(path)
    if (!entry) {
      try {
        entry = { file: new DataFile(path, 'r'), users: 0 }
      } catch (error) {
        throw readFailure(path, error)
      }
      this.#entries.set(path, entry)
    }
    entry.users++
    return entry.file
  }

  drop(path: string): void {
    const entry = this.#entries.get(path)
    if (!entry) throw new Error(`the base ${path} is not open`)
    if (--entry.users > 0) return
    this.#entries.delete(path)
    entry.file.close()
  }

  get openFiles(): number {
    return this.#entries.size
  }
}
