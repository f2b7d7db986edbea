/**
 * The directory in which the storage engine keeps everything. One engine at a time, held by a lock that ends with the
 * process, however it ends.
 *
 *   lock
 *   ephemeral/ID/        overlay, bitmap                                 wiped at each start
 *   tokens/              data that tokens of third-party copy stand for  wiped at each start
 *   volumes/ID/          volume.json, overlay, bitmap, bitmap.durable, intent
 *   volumes/ID/next/     files that are about to replace those of the volume
 *   snapshots/ID/        snapshot.json, overlay, bitmap
 *   snapshots/.removing-ID/  one whose removal was interrupted           wiped at each start
 *   switch.json          a change of files that is decided and not yet done everywhere, see snapshots/switch-journal.ts
 *   volumes/.making-ID/  a volume whose making was interrupted           wiped at each start
 *   volumes/.removing-ID/  one whose removal was interrupted             wiped at each start
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { dup, flockExclusive } from '@scsipub/posix'

const MAKING = '.making-'
const REMOVING = '.removing-'

const ADVICE: Record<string, string> = {
  EACCES: 'the user of the server may not write there; change its owner or name another directory as dataDir',
  EPERM: 'the user of the server may not write there; change its owner or name another directory as dataDir',
  ENOSPC: 'its file system is full; make room and start again',
  EDQUOT: 'the disk quota of the user of the server is used up; raise it and start again',
  EROFS: 'its file system is mounted read-only; mount it writable or name another directory as dataDir',
  ENOTDIR: 'a part of the path is not a directory; name another directory as dataDir',
  EEXIST: 'something that is not a directory has its name; name another directory as dataDir',
}

/** The data directory cannot be used. The message is one line that says why and what to do. */
export class DataDirectoryError extends Error {
  constructor(path: string, why: string, options?: ErrorOptions) {
    super(`cannot use the data directory ${path}: ${why}`, options)
    this.name = 'DataDirectoryError'
  }
}

export class DataDirectory {
  readonly path: string
  readonly #lock: number | undefined

  /**
   * Creates what is missing, takes the lock and wipes what must not survive a start. `taken`: the server goes on with another engine and holds the lock; then
   * the ephemeral volumes that it names stay, and so do tokens. Throws `DataDirectoryError`.
   */
  constructor(path: string, taken?: ReadonlySet<string>) {
    this.path = path
    let lock: number | undefined
    try {
      makeDirectory(path)
      if (!taken) {
        syncNames(path)
        lock = openSync(join(path, 'lock'), 'a', 0o600)
        if (!flockExclusive(lock))
          throw new DataDirectoryError(
            path,
            'another server uses it; stop that one or name another directory as dataDir',
          )
      }
      this.#prepare(taken)
    } catch (error) {
      if (lock !== undefined) closeSync(lock)
      throw explained(path, error)
    }
    this.#lock = lock
  }

  /** A second descriptor that holds the lock, for whoever is to outlive this thread; undefined when it was held before. Node does not close it. */
  shareLock(): number | undefined {
    return this.#lock === undefined ? undefined : dup(this.#lock)
  }

  #prepare(taken: ReadonlySet<string> | undefined): void {
    for (const name of ['ephemeral', 'tokens']) {
      if (!taken) rmSync(join(this.path, name), { recursive: true, force: true })
      mkdirSync(join(this.path, name), { recursive: true, mode: 0o700 })
    }
    for (const volumeId of taken ? readdirSync(join(this.path, 'ephemeral')) : [])
      if (!taken?.has(volumeId)) rmSync(this.ephemeral(volumeId), { recursive: true, force: true })
    for (const name of ['volumes', 'snapshots']) mkdirSync(join(this.path, name), { recursive: true, mode: 0o700 })
    for (const parent of ['volumes', 'snapshots']) {
      // A server that was killed may have renamed something and not made that durable: what this one finds has to stay so.
      syncDirectory(join(this.path, parent))
      for (const name of readdirSync(join(this.path, parent))) {
        if (name.startsWith(MAKING) || name.startsWith(REMOVING))
          rmSync(join(this.path, parent, name), { recursive: true })
      }
    }
    syncDirectory(this.path)
  }

  snapshot(snapshotId: string): string {
    return join(this.path, 'snapshots', snapshotId)
  }

  /** Where a snapshot goes that is being destroyed. */
  removingSnapshot(snapshotId: string): string {
    return join(this.path, 'snapshots', `${REMOVING}${snapshotId}`)
  }

  /** Names of the snapshots, damaged ones too. */
  snapshotIds(): string[] {
    return readdirSync(join(this.path, 'snapshots')).filter(name => !name.startsWith('.'))
  }

  get switchJournal(): string {
    return join(this.path, 'switch.json')
  }

  get tokens(): string {
    return join(this.path, 'tokens')
  }

  ephemeral(volumeId: string): string {
    return join(this.path, 'ephemeral', volumeId)
  }

  volume(volumeId: string): string {
    return join(this.path, 'volumes', volumeId)
  }

  /** Where a persistent volume is made before it gets its name. */
  making(volumeId: string): string {
    return join(this.path, 'volumes', `${MAKING}${volumeId}`)
  }

  /** Where a persistent volume goes that is being deleted. */
  removing(volumeId: string): string {
    return join(this.path, 'volumes', `${REMOVING}${volumeId}`)
  }

  /** Names of the persistent volumes, damaged ones too. */
  volumeIds(): string[] {
    return readdirSync(join(this.path, 'volumes')).filter(name => !name.startsWith('.'))
  }

  /** Lets the next server have it. */
  close(): void {
    if (this.#lock !== undefined) closeSync(this.#lock)
  }
}

/** As `mkdir -p`. Node's own recursive form reports a read-only file system as ENOENT. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EEXIST' && statSync(path).isDirectory()) return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    makeDirectory(dirname(path))
    mkdirSync(path, { mode: 0o700 })
  }
}

/**
 * Makes the name of a directory durable, and those of the directories that it lies in: whoever made them, the data would be lost with them. What may
 * not be opened was not made by us.
 */
function syncNames(path: string): void {
  for (let above = dirname(resolve(path)); ; above = dirname(above)) {
    try {
      syncDirectory(above)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS' && code !== 'EINVAL') throw error
    }
    if (dirname(above) === above) return
  }
}

/** Makes the names in a directory durable. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** The kernel's random name for the time since it was started. */
export function currentBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

function explained(path: string, error: unknown): Error {
  if (error instanceof DataDirectoryError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const message = error instanceof Error ? error.message : String(error)
  const advice = ADVICE[code]
  return new DataDirectoryError(path, advice ? `${advice} (${message})` : message, { cause: error })
}
