// Trees of files: read from a folder, and written into one.

import { closeSync, ftruncateSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { SECTOR_BYTES } from './file-model.js'
import { isFolder, type Tree } from './file-system-model.js'

/** All that is in a folder. */
export function readTree(path: string): Tree {
  if (lstatSync(path).isDirectory()) {
    return new Map(readdirSync(path).map(name => [name, readTree(join(path, name))]))
  }
  const bytes = readFileSync(path)
  const sectors = new Map<number, Buffer>()
  const zeros = Buffer.alloc(SECTOR_BYTES)
  for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
    const end = Math.min(at + SECTOR_BYTES, bytes.length)
    if (bytes.compare(zeros, 0, end - at, at, end) === 0) continue
    const sector = Buffer.alloc(SECTOR_BYTES)
    bytes.copy(sector, 0, at, end)
    sectors.set(at / SECTOR_BYTES, sector)
  }
  return { sizeBytes: bytes.length, sectors }
}

/** Makes the folder or file `path`, which must not exist. */
export function writeTree(path: string, tree: Tree): void {
  if (isFolder(tree)) {
    mkdirSync(path, { mode: 0o700 })
    for (const [name, child] of tree) writeTree(join(path, name), child)
    return
  }
  const fd = openSync(path, 'wx', 0o600)
  for (const [sector, bytes] of tree.sectors) writeSync(fd, bytes, 0, SECTOR_BYTES, sector * SECTOR_BYTES)
  ftruncateSync(fd, tree.sizeBytes)
  closeSync(fd)
}
