/**
 * The copies of data that tokens stand for, as files: one a token, in a folder of the data directory that all workers share and that is emptied
 * at each start. A file is named after a digest of its token, so whoever has the token finds the data, whatever thread he is on,
 * and whoever does not finds nothing.
 *
 * The time of a file's last use is its modification time. Left out: durability; a token ends with the server.
 */
import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { senseCodes, TOKEN_INACTIVITY_TIMEOUT_S } from '@scsipub/scsi'
import { CopyFailed } from './copy-failure.js'

/** Most that the tokens of one worker's sessions may take together, in bytes. */
const MAX_WORKER_BYTES = 1 << 30
/** Files that nobody used for so long were left by a worker that died. */
const ORPHAN_MS = 2 * TOKEN_INACTIVITY_TIMEOUT_S * 1000

/** A copy that is being made. */
export class TokenDraft {
  readonly bytes: number
  readonly path: string
  readonly #handle: FileHandle

  constructor(path: string, handle: FileHandle, bytes: number) {
    this.path = path
    this.bytes = bytes
    this.#handle = handle
  }

  /** Writes `length` bytes of `piece` at `at`. Rejects with `CopyFailed` when there is no room. */
  async write(at: number, piece: Buffer, length: number): Promise<void> {
    for (let done = 0; done < length; ) {
      const { bytesWritten } = await this.#handle.write(piece, done, length - done, at + done).catch(failed)
      done += bytesWritten
    }
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

/** A copy that is being read. It can be read to its end even if the token ends meanwhile. */
export class TokenCopy {
  readonly #handle: FileHandle

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  /** Reads `length` bytes at `at` into the beginning of `target`. */
  async read(at: number, target: Buffer, length: number): Promise<void> {
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.#handle.read(target, done, length - done, at + done).catch(failed)
      if (bytesRead === 0) throw new CopyFailed({ code: senseCodes.internalTargetFailure })
      done += bytesRead
    }
  }

  /** Ends the use of the token, which was used until now. */
  async close(): Promise<void> {
    const now = new Date()
    await this.#handle.utimes(now, now).catch(failed)
    await this.#handle.close()
  }
}

/** The name of a token's file. */
export function tokenName(token: Buffer): string {
  return createHash('sha256').update(token).digest('hex')
}

export class TokenFiles {
  readonly #ask: () => Promise<string>
  #folder: Promise<string> | undefined
  #heldBytes = 0
  #sweptMs = 0

  /** `ask` gives the folder; it is asked once, when first needed. */
  constructor(ask: () => Promise<string>) {
    this.#ask = ask
  }

  /** Makes room for a copy. Rejects with `CopyFailed` when there is none. `bytes` are held until `release`. */
  async create(bytes: number): Promise<TokenDraft> {
    if (this.#heldBytes + bytes > MAX_WORKER_BYTES)
      throw new CopyFailed({ code: senseCodes.insufficientResourcesToCreateRod })
    this.#heldBytes += bytes
    try {
      await this.#sweep().catch(failed)
      const path = await this.path(`making-${randomBytes(16).toString('hex')}`)
      const handle = await open(path, 'wx+', 0o600).catch(failed)
      await handle.truncate(bytes).catch(failed)
      return new TokenDraft(path, handle, bytes)
    } catch (error) {
      this.release(bytes)
      throw error
    }
  }

  /** Makes the copy findable by its token. */
  async publish(draft: TokenDraft, name: string): Promise<void> {
    await draft.close()
    await rename(draft.path, await this.path(name)).catch(failed)
  }

  /** Room for a token that another worker has made, which has to be found. */
  adopt(bytes: number): void {
    this.#heldBytes += bytes
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes
  }

  /** Undefined when there is no such token. */
  async open(name: string): Promise<TokenCopy | undefined> {
    const handle = await open(await this.path(name), 'r').catch(unlessMissing)
    return handle && new TokenCopy(handle)
  }

  /** When it was last used, in milliseconds of the clock; undefined when it is gone. */
  async lastUseMs(name: string): Promise<number | undefined> {
    return (await stat(await this.path(name)).catch(unlessMissing))?.mtimeMs
  }

  async remove(name: string): Promise<void> {
    await rm(await this.path(name), { force: true })
  }

  async removeDraft(draft: TokenDraft): Promise<void> {
    await rm(draft.path, { force: true })
  }

  path(name: string): Promise<string> {
    this.#folder ??= this.#ask()
    return this.#folder.then(folder => join(folder, name), failed)
  }

  async #sweep(): Promise<void> {
    const now = Date.now()
    if (now - this.#sweptMs < ORPHAN_MS) return
    this.#sweptMs = now
    for (const name of await readdir(await this.path(''))) {
      const lastUse = await this.lastUseMs(name)
      if (lastUse !== undefined && now - lastUse > ORPHAN_MS) await this.remove(name)
    }
  }
}

/** What the initiator is told of a file that cannot be made, written or read. */
function failed(error: unknown): never {
  if (error instanceof CopyFailed) throw error
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EMFILE' || code === 'ENFILE')
    throw new CopyFailed({ code: senseCodes.insufficientResourcesToCreateRod })
  throw new CopyFailed({ code: senseCodes.internalTargetFailure })
}

function unlessMissing(error: unknown): undefined {
  return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : failed(error)
}
