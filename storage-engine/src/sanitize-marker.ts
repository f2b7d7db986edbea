/**
 * `sanitize.json`: that a persistent volume is to be sanitized, and how. It lies beside the volume's other files from before the operation
 * is acknowledged until all of it is durable, so that no start in between shows the old data as if nothing had been asked: the volume comes
 * back sanitizing, from the beginning, or as failed.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileSchema, faults } from '@scsipub/contract'
import { syncDirectory } from './data-directory.js'

/** What is to be done. `data`: for `overwrite`, one block for each pass; else empty. `allowExit`: AUSE [SBC-3 §5.24.1]. */
export interface SanitizePlan {
  readonly method: 'erase' | 'overwrite'
  readonly data: Buffer
  readonly allowExit: boolean
}

interface Content {
  format: 1
  method: 'erase' | 'overwrite'
  data: string
  allowExit: boolean
  failed: boolean
}

const isContent = compileSchema<Content>({
  properties: {
    format: { type: 'uint8' },
    method: { enum: ['erase', 'overwrite'] },
    data: { type: 'string' },
    allowExit: { type: 'boolean' },
    failed: { type: 'boolean' },
  },
})

export class SanitizeMarker {
  readonly #directory: string
  readonly #path: string

  /** `directory`: the volume's. */
  constructor(directory: string) {
    this.#directory = directory
    this.#path = join(directory, 'sanitize.json')
  }

  /** Writes it, whole and durable. Throws system errors. */
  write({ method, data, allowExit }: SanitizePlan, failed: boolean): void {
    const content: Content = { format: 1, method, data: data.toString('base64'), allowExit, failed }
    const fd = openSync(`${this.#path}.new`, 'w', 0o600)
    try {
      writeFileSync(fd, `${JSON.stringify(content)}\n`)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(`${this.#path}.new`, this.#path)
    syncDirectory(this.#directory)
  }

  /** Takes it away durably. Throws system errors. */
  remove(): void {
    rmSync(this.#path, { force: true })
    syncDirectory(this.#directory)
  }

  /** What is there, or undefined. Throws when it cannot be understood: guessing could show what was to be erased. */
  read(): { plan: SanitizePlan; failed: boolean } | undefined {
    if (!existsSync(this.#path)) return undefined
    const content: unknown = JSON.parse(readFileSync(this.#path, 'utf8'))
    if (!isContent(content)) throw new Error(`${this.#path} is not as it should be: ${faults(isContent)}`)
    const { format, method, data, allowExit, failed } = content
    if (format !== 1) throw new Error(`${this.#path} has the unknown format ${String(format)}`)
    return { plan: { method, data: Buffer.from(data, 'base64'), allowExit }, failed }
  }
}
