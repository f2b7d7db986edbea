/**
 * The tokens that one session has made: bounded in number and bytes, the least recently made given up first; each ends when nobody used it for its
 * inactivity timeout, and all of them with the session. [SPC-4 §5.17.6.7]
 *
 * Why a token is not there any more is remembered for a while, so that its maker is told.
 */
import type { CopiesRecord } from '@scsipub/contract'
import { type SenseCode, senseCodes } from '@scsipub/scsi'
import { CopyFailed } from './copy-failure.js'
import { type TokenCopy, type TokenDraft, type TokenFiles, tokenName } from './token-files.js'

const MAX_TOKENS = 16
const MAX_BYTES = 256 << 20
const MAX_REMEMBERED = 64

interface Kept {
  /** The unit whose data it stands for. */
  readonly unit: object
  readonly bytes: number
  readonly timeoutMs: number
  timer: NodeJS.Timeout
}

export class TokenStore {
  readonly #files: TokenFiles
  readonly #changed: () => void
  /** By file name, the oldest first. */
  readonly #kept = new Map<string, Kept>()
  readonly #lost = new Map<string, SenseCode>()
  #bytes = 0
  #tokens = 0

  /** `changed` is called after each change of what `record` tells. */
  constructor(files: TokenFiles, changed: () => void = () => {}) {
    this.#files = files
    this.#changed = changed
  }

  /** Makes room for a copy of `bytes` at the cost of older ones. Rejects with `CopyFailed` when there is none. */
  async begin(bytes: number): Promise<TokenDraft> {
    for (const [name] of this.#kept) {
      if (this.#tokens < MAX_TOKENS && this.#bytes + bytes <= MAX_BYTES) break
      this.#drop(name, senseCodes.tokenCancelled)
      await this.#files.remove(name)
    }
    if (this.#tokens >= MAX_TOKENS || this.#bytes + bytes > MAX_BYTES)
      throw new CopyFailed({ code: senseCodes.insufficientResourcesToCreateRod })
    this.#tokens++
    this.#bytes += bytes
    try {
      return await this.#files.create(bytes)
    } catch (error) {
      this.#tokens--
      this.#bytes -= bytes
      throw error
    }
  }

  /** The copy is complete: from now on `token` stands for it. `unit`: where its data is from. */
  async keep(draft: TokenDraft, token: Buffer, o: { timeoutMs: number; unit: object }): Promise<void> {
    const name = tokenName(token)
    await this.#files.publish(draft, name)
    this.#kept.set(name, { ...o, bytes: draft.bytes, timer: this.#timer(name, o.timeoutMs) })
    this.#changed()
  }

  /** The copy will not be completed. */
  async discard(draft: TokenDraft): Promise<void> {
    this.#free(draft.bytes)
    await draft.close()
    await this.#files.removeDraft(draft)
  }

  /** What a token stands for, whichever session made it. Rejects with `CopyFailed` when it is none, or none any more. */
  async open(token: Buffer): Promise<TokenCopy> {
    const name = tokenName(token)
    const copy = await this.#files.open(name)
    if (copy) return copy
    throw new CopyFailed({ code: this.#lost.get(name) ?? senseCodes.tokenUnknown })
  }

  async remove(token: Buffer): Promise<void> {
    const name = tokenName(token)
    this.#drop(name, senseCodes.tokenDeleted)
    await this.#files.remove(name)
  }

  /** A unit has gone, and with it what was copied from it. */
  async cancel(unit: object): Promise<void> {
    for (const [name, kept] of [...this.#kept]) if (kept.unit === unit) await this.#cancel(name)
  }

  /** What another worker needs. `numberOf`: the LUN of a unit, undefined when it has gone. */
  record(numberOf: (unit: object) => number | undefined): Pick<CopiesRecord, 'tokens' | 'lost'> {
    const tokens = [...this.#kept].map(([name, { unit, bytes, timeoutMs }]) => {
      const lun = numberOf(unit)
      return { name, bytes, timeoutMs, ...(lun !== undefined && { lun }) }
    })
    return { tokens, lost: [...this.#lost] }
  }

  restore({ tokens, lost }: Pick<CopiesRecord, 'tokens' | 'lost'>, unitOf: (lun: number | undefined) => object): void {
    for (const [name, why] of lost) this.#lost.set(name, why)
    for (const { name, lun, bytes, timeoutMs } of tokens) {
      this.#tokens++
      this.#bytes += bytes
      this.#files.adopt(bytes)
      // The first look finds out how much of the timeout is left.
      this.#kept.set(name, { unit: unitOf(lun), bytes, timeoutMs, timer: this.#timer(name, 0) })
    }
  }

  /** The tokens are another worker's. */
  leaveBehind(): void {
    for (const { timer, bytes } of this.#kept.values()) {
      clearTimeout(timer)
      this.#files.release(bytes)
    }
    this.#kept.clear()
  }

  /** The session ends. */
  async close(): Promise<void> {
    for (const name of [...this.#kept.keys()]) await this.#cancel(name)
  }

  /** What cannot be removed is left to the sweep of orphans. */
  async #cancel(name: string): Promise<void> {
    this.#drop(name, senseCodes.tokenCancelled)
    await this.#files.remove(name).catch(() => {})
  }

  #timer(name: string, afterMs: number): NodeJS.Timeout {
    const look = () => void this.#look(name).catch(() => this.#drop(name, senseCodes.tokenExpired))
    return setTimeout(look, afterMs).unref()
  }

  /** The timeout counts from the last use, which may have been on another thread. */
  async #look(name: string): Promise<void> {
    const lastUseMs = await this.#files.lastUseMs(name)
    const kept = this.#kept.get(name)
    if (!kept) return
    const restMs = lastUseMs === undefined ? 0 : lastUseMs + kept.timeoutMs - Date.now()
    if (restMs > 0) {
      kept.timer = this.#timer(name, restMs)
      return
    }
    this.#drop(name, lastUseMs === undefined ? senseCodes.tokenDeleted : senseCodes.tokenExpired)
    await this.#files.remove(name)
  }

  #drop(name: string, why: SenseCode): void {
    const kept = this.#kept.get(name)
    if (!kept) return
    clearTimeout(kept.timer)
    this.#kept.delete(name)
    this.#free(kept.bytes)
    this.#lost.set(name, why)
    const [oldest] = this.#lost.keys()
    if (this.#lost.size > MAX_REMEMBERED && oldest !== undefined) this.#lost.delete(oldest)
    this.#changed()
  }

  #free(bytes: number): void {
    this.#tokens--
    this.#bytes -= bytes
    this.#files.release(bytes)
  }
}
