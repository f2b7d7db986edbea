// Files that are mapped into memory, and what was stored into them: the memory is compared with what it was at the last look, sector by sector.

const SECTOR_BYTES = 512

interface Mapping {
  readonly address: number
  readonly view: Buffer
}

interface MappedFile {
  readonly mappings: Mapping[]
  /** As the file was at the last look. */
  seen: Buffer
}

export class MappedFiles {
  readonly #files = new Map<string, MappedFile>()

  /** The first bytes of the file are mapped; `view` is that memory. */
  add(path: string, address: number, view: Buffer): void {
    const file = this.#files.get(path)
    if (file && file.seen.length === view.length) file.mappings.push({ address, view })
    else this.#files.set(path, { mappings: [{ address, view }], seen: Buffer.from(view) })
  }

  /** The mapping ends; to be called before it does. */
  remove(address: number): void {
    for (const [path, { mappings }] of this.#files) {
      const index = mappings.findIndex(mapping => mapping.address === address)
      if (index < 0) continue
      mappings.splice(index, 1)
      if (mappings.length === 0) this.#files.delete(path)
    }
  }

  /** The file was written otherwise, which has been recorded. */
  refresh(path: string): void {
    const file = this.#files.get(path)
    file?.mappings[0]?.view.copy(file.seen)
  }

  pathAt(address: number): string | undefined {
    for (const [path, { mappings }] of this.#files)
      if (mappings.some(mapping => mapping.address === address)) return path
    return undefined
  }

  /** Sectors that are not what they were at the last look, with what they are. */
  *changes(): Generator<{ path: string; position: number; bytes: Buffer }> {
    for (const [path, file] of this.#files) {
      const { view } = file.mappings[0]!
      if (view.equals(file.seen)) continue
      for (let position = 0; position < view.length; position += SECTOR_BYTES) {
        const bytes = Buffer.from(view.subarray(position, position + SECTOR_BYTES))
        if (bytes.equals(file.seen.subarray(position, position + SECTOR_BYTES))) continue
        bytes.copy(file.seen, position)
        yield { path, position, bytes }
      }
    }
  }
}
