// One directory: the names that are certainly in it, and the changes since its last sync, in order. A loss of power leaves a prefix of these: a journal
// keeps their order, and no directory's changes become durable by the sync of a file.

/** A name gets a node, or (null) is taken away. A renaming within a directory is one change with two edits. */
export interface DirectoryChange {
  readonly at: number
  readonly edits: readonly { readonly name: string; readonly node: number | null }[]
}

export class DirectoryModel {
  #durable: ReadonlyMap<string, number>
  #changes: DirectoryChange[] = []

  constructor(durable: ReadonlyMap<string, number> = new Map()) {
    this.#durable = durable
  }

  copy(): DirectoryModel {
    const copy = new DirectoryModel(this.#durable)
    copy.#changes = this.#changes.slice()
    return copy
  }

  change(change: DirectoryChange): void {
    this.#changes.push(change)
  }

  /** All changes before `at` are on the disk now. */
  synced(at: number): void {
    this.#durable = this.#upTo(change => change.at < at)
    this.#changes = this.#changes.filter(change => change.at >= at)
  }

  /** Changes that are not on the disk for certain. */
  get pending(): number {
    return this.#changes.length
  }

  now(): ReadonlyMap<string, number> {
    return this.#upTo(() => true)
  }

  /** With the first `count` pending changes. */
  withFirst(count: number): ReadonlyMap<string, number> {
    return this.#upTo(change => this.#changes.indexOf(change) < count)
  }

  /** With the pending changes before `at`. */
  before(at: number): ReadonlyMap<string, number> {
    return this.#upTo(change => change.at < at)
  }

  #upTo(counts: (change: DirectoryChange) => boolean): ReadonlyMap<string, number> {
    const names = new Map(this.#durable)
    for (const change of this.#changes) {
      if (!counts(change)) continue
      for (const { name, node } of change.edits) {
        if (node === null) names.delete(name)
        else names.set(name, node)
      }
    }
    return names
  }
}
