/** Small files that are there whole or not at all, also after a loss of power. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncDirectory } from './data-directory.js'

/** Writes the file under another name, and gives it its own when it is on the disk. Throws system errors. */
export function writeWhole(path: string, text: string): void {
  const fd = openSync(`${path}.new`, 'w', 0o600)
  try {
    writeFileSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(`${path}.new`, path)
  syncDirectory(dirname(path))
}

/** Removes the file, if there is one; it does not come back. Throws system errors. */
export function removeWhole(path: string): void {
  rmSync(path, { force: true })
  syncDirectory(dirname(path))
}
