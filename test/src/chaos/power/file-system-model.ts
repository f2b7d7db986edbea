// The files below one folder, as a log of records says that they are, and what a loss of power may leave of them.
//
// A sync makes durable what was done before it began, once it has ended, and that of its own file or directory alone. Metadata that was not synced is kept
// in a prefix: of each directory by itself, or of all of them together, as a journal would.

import type { Dice } from '../dice.js'
import { DirectoryModel } from './directory-model.js'
import { type FileContent, FileModel } from './file-model.js'
import type { LoggedRecord } from './record-log.js'

type Node = FileModel | DirectoryModel

/** What is found below a path: a file's content, or a folder's entries. */
export type Tree = FileContent | ReadonlyMap<string, Tree>

export function isFolder(tree: Tree): tree is ReadonlyMap<string, Tree> {
  return tree instanceof Map
}

export class FileSystemModel {
  readonly #root: string
  readonly #nodes = new Map<number, Node>()
  readonly #descriptors = new Map<number, number>()
  readonly #syncs = new Map<number, { node: number; at: number }>()
  #nextNode = 1
  #at = 1
  /** A renaming between directories is pending: they can only be cut together. */
  #entangled = false

  /** The folder `root` with all that is in it is on the disk. */
  constructor(root: string, tree: Tree) {
    this.#root = root
    this.#plant(tree)
  }

  copy(): FileSystemModel {
    const copy = new FileSystemModel(this.#root, new Map())
    for (const [id, node] of this.#nodes) copy.#nodes.set(id, node.copy())
    for (const [fd, node] of this.#descriptors) copy.#descriptors.set(fd, node)
    for (const [id, sync] of this.#syncs) copy.#syncs.set(id, sync)
    copy.#nextNode = this.#nextNode
    copy.#at = this.#at
    copy.#entangled = this.#entangled
    return copy
  }

  apply(record: LoggedRecord): void {
    const at = ++this.#at
    switch (record.op) {
      case 'process':
        this.#descriptors.clear()
        this.#syncs.clear()
        return
      case 'open':
        return this.#open(at, record)
      case 'close':
        this.#descriptors.delete(record.fd)
        return
      case 'write':
        return this.#file(record.fd).write(at, record.position, record.data!)
      case 'truncate':
        return this.#file(record.fd).truncate(at, record.length)
      case 'allocate':
        return this.#file(record.fd).allocate(at, record.position + record.length)
      case 'zero':
        return this.#file(record.fd).zero(at, record.position, record.length)
      case 'store':
        return this.#fileAt(record.path).write(at, record.position, record.data!)
      case 'syncBegin':
        this.#syncs.set(record.id, { node: this.#node(record.fd), at })
        return
      case 'syncEnd': {
        const { node, at: began } = this.#syncs.get(record.id)!
        this.#syncs.delete(record.id)
        return this.#synced(this.#nodes.get(node)!, began)
      }
      case 'mkdir':
        return this.#link(at, record.path, this.#add(new DirectoryModel()))
      case 'remove':
        return this.#edit(at, record.path, null)
      case 'rename':
        return this.#rename(at, record.from, record.to)
      case 'mark':
        return
    }
  }

  /** Takes over what really is below the folder, where that differs: written, and not synced. Says which paths differ. */
  overlay(tree: Tree): string[] {
    const different: string[] = []
    const visit = (path: string, found: Tree, id: number): void => {
      const node = this.#nodes.get(id)!
      if (isFolder(found)) {
        if (!(node instanceof DirectoryModel)) throw new Error(`${path} is a folder`)
        const names = node.now()
        for (const name of names.keys()) {
          if (found.has(name)) continue
          different.push(`${path}/${name} is not there`)
          this.#edit(++this.#at, `${path}/${name}`, null)
        }
        for (const [name, child] of found) {
          if (!names.has(name)) {
            different.push(`${path}/${name} is there`)
            this.#link(
              ++this.#at,
              `${path}/${name}`,
              this.#add(isFolder(child) ? new DirectoryModel() : new FileModel()),
            )
          }
          visit(`${path}/${name}`, child, this.#lookup(`${path}/${name}`)!)
        }
        return
      }
      if (!(node instanceof FileModel)) throw new Error(`${path} is a file`)
      const change = differences(node.now(), found)
      if (change.length === 0 && node.sizeBytes === found.sizeBytes) return
      different.push(`${path} differs in ${change.length} sectors`)
      node.truncate(++this.#at, found.sizeBytes)
      for (const [sector, bytes] of change) {
        const position = sector * bytes.length
        node.write(++this.#at, position, bytes.subarray(0, Math.min(bytes.length, found.sizeBytes - position)))
      }
    }
    visit(this.#root, tree, 0)
    return different
  }

  /** What may be there when the power fails now. */
  afterPowerCut(dice: Dice): Tree {
    const together = this.#entangled || dice.chance(0.4)
    const cut = dice.weighted<'none' | 'all' | 'some'>({ none: 4, all: 2, some: 4 })
    const journal = dice.below(this.#at + 2)
    const names = (directory: DirectoryModel): ReadonlyMap<string, number> => {
      if (cut === 'none') return directory.withFirst(0)
      if (cut === 'all') return directory.now()
      return together ? directory.before(journal) : directory.withFirst(dice.below(directory.pending + 1))
    }
    const visit = (id: number): Tree => {
      const node = this.#nodes.get(id)!
      if (node instanceof FileModel) return node.afterPowerCut(dice)
      return new Map([...names(node)].map(([name, child]) => [name, visit(child)]))
    }
    return visit(0)
  }

  /** With a renaming between directories, what one sync has made durable of the journal holds for all of them. */
  #synced(node: Node, began: number): void {
    const together = this.#entangled && node instanceof DirectoryModel
    for (const one of together ? this.#nodes.values() : [node])
      if (one === node || one instanceof DirectoryModel) one.synced(began)
  }

  #plant(tree: Tree): number {
    if (!isFolder(tree)) return this.#add(FileModel.of(tree))
    const id = this.#nodes.size === 0 ? 0 : this.#nextNode++
    this.#nodes.set(id, new DirectoryModel())
    this.#nodes.set(id, new DirectoryModel(new Map([...tree].map(([name, child]) => [name, this.#plant(child)]))))
    return id
  }

  #add(node: Node): number {
    const id = this.#nextNode++
    this.#nodes.set(id, node)
    return id
  }

  #open(at: number, { fd, path, created, truncated }: Extract<LoggedRecord, { op: 'open' }>): void {
    if (created) this.#link(at, path, this.#add(new FileModel()))
    const node = this.#lookup(path)
    if (node === undefined) throw new Error(`${path} was opened and is not known`)
    this.#descriptors.set(fd, node)
    if (truncated) this.#file(fd).truncate(at, 0)
  }

  #rename(at: number, from: string, to: string): void {
    const node = this.#lookup(from)
    if (node === undefined) throw new Error(`${from} was renamed and is not known`)
    const [oldPlace, oldName] = this.#place(from)
    const [newPlace, newName] = this.#place(to)
    if (oldPlace === newPlace) {
      oldPlace.change({
        at,
        edits: [
          { name: oldName, node: null },
          { name: newName, node },
        ],
      })
      return
    }
    oldPlace.change({ at, edits: [{ name: oldName, node: null }] })
    newPlace.change({ at, edits: [{ name: newName, node }] })
    this.#entangled = true
  }

  #link(at: number, path: string, node: number): void {
    this.#edit(at, path, node)
  }

  #edit(at: number, path: string, node: number | null): void {
    const [directory, name] = this.#place(path)
    directory.change({ at, edits: [{ name, node }] })
  }

  /** The directory that a path is in, and its name there. */
  #place(path: string): [DirectoryModel, string] {
    const cut = path.lastIndexOf('/')
    const id = this.#lookup(path.slice(0, cut))
    const directory = id === undefined ? undefined : this.#nodes.get(id)
    if (!(directory instanceof DirectoryModel)) throw new Error(`the folder of ${path} is not known`)
    return [directory, path.slice(cut + 1)]
  }

  #lookup(path: string): number | undefined {
    if (path === this.#root) return 0
    let id: number | undefined = 0
    for (const name of path.slice(this.#root.length + 1).split('/')) {
      const directory: Node | undefined = id === undefined ? undefined : this.#nodes.get(id)
      id = directory instanceof DirectoryModel ? directory.now().get(name) : undefined
    }
    return id
  }

  #node(fd: number): number {
    const id = this.#descriptors.get(fd)
    if (id === undefined) throw new Error(`descriptor ${fd} is not known`)
    return id
  }

  #file(fd: number): FileModel {
    const node = this.#nodes.get(this.#node(fd))
    if (!(node instanceof FileModel)) throw new Error(`descriptor ${fd} is not of a file`)
    return node
  }

  #fileAt(path: string): FileModel {
    const id = this.#lookup(path)
    const node = id === undefined ? undefined : this.#nodes.get(id)
    if (!(node instanceof FileModel)) throw new Error(`${path} is no file that is known`)
    return node
  }
}

/** Sectors of `found` that `model` has otherwise, with the bytes found. */
function differences(model: FileContent, found: FileContent): [number, Buffer][] {
  const zeros = Buffer.alloc(512)
  const sectors = new Set([...model.sectors.keys(), ...found.sectors.keys()])
  const different: [number, Buffer][] = []
  for (const sector of sectors) {
    const bytes = found.sectors.get(sector) ?? zeros
    const end = Math.min(512, found.sizeBytes - sector * 512)
    if (end <= 0) continue
    const known = model.sectors.get(sector) ?? zeros
    if (!known.subarray(0, end).equals(bytes.subarray(0, end))) different.push([sector, bytes])
  }
  return different
}
