/**
 * What this node's data directory knows of its leases, beside their volumes: which there are, what they consist of, and which of them are to go. The state
 * store may forget (flushed, failed over to an older copy, another one configured); the volumes are here, and so is what is needed to judge
 * them: none is removed because a record is missing. See docs/adr/0021.
 *
 *   leases/node               name of the node that this data directory is, random, made once
 *   leases/ID.REVISION.json   the lease is one of this node, its volumes have been made; a copy of its record
 *   leases/ID.evicting        its eviction has begun and will be finished; volumes may be gone
 *
 * Names alone tell what a start has to know. Files appear whole and durably. Secrets are in them, so only their owner reads them, and what a server
 * that was killed has left behind goes at the next start: an older copy, one beside the mark of an eviction, a draft.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type LeaseRecord, readLeaseRecord } from './lease-record.js'

/** Revision of the copy, or that the eviction has begun. */
export type LedgerEntry = number | 'evicting'

const COPY = /^([a-z2-7]{26})\.([1-9][0-9]{0,14})\.json$/
const EVICTING = /^([a-z2-7]{26})\.evicting$/
const DRAFT = /^[a-z2-7]{26}\..*\.draft$/

export class LeaseLedger {
  /** Name of this node. */
  readonly node: string
  /** There was no ledger before: what it does not know may well be a lease. */
  readonly isNew: boolean
  readonly #folder: string
  readonly #entries = new Map<string, LedgerEntry>()

  /** Reads the ledger, or begins one. Throws system errors. */
  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const known = readNode(join(folder, 'node'))
    this.isNew = known === undefined
    this.node = known ?? randomBytes(8).toString('hex')
    if (this.isNew) {
      writeFileSync(join(folder, 'node'), `${this.node}\n`, { mode: 0o600, flush: true })
      // Leases are known by this name: it must not be another one after a loss of power.
      for (const path of [folder, dirname(folder)]) syncDirectory(path)
    }
    const names = readdirSync(folder)
    for (const name of names) this.#take(name)
    for (const name of names) if (this.#isLeftOver(name)) rmSync(join(folder, name))
  }

  /** Leases by id. */
  get entries(): ReadonlyMap<string, LedgerEntry> {
    return this.#entries
  }

  /** The copy of a lease's record; a string says why there is none. */
  async read(id: string): Promise<LeaseRecord | string> {
    const revision = this.#entries.get(id)
    if (typeof revision !== 'number') return 'the ledger has no copy'
    try {
      return readLeaseRecord(id, JSON.parse(await readFile(this.#copy(id, revision), 'utf8')))
    } catch (error) {
      return (error as Error).message
    }
  }

  /** Keeps a copy of the record in place of that of an earlier revision. Rejects with system errors. */
  async keep(record: LeaseRecord): Promise<void> {
    const { id, revision } = record
    const old = this.#entries.get(id)
    await this.#write(this.#copy(id, revision), `${JSON.stringify(record)}\n`)
    this.#entries.set(id, revision)
    if (typeof old === 'number' && old !== revision) await rm(this.#copy(id, old), { force: true })
  }

  /** Notes that the lease is to go, whatever the state store says. Rejects with system errors. */
  async markEvicting(id: string): Promise<void> {
    const old = this.#entries.get(id)
    if (old === 'evicting') return
    await this.#write(this.#mark(id), '')
    this.#entries.set(id, 'evicting')
    if (old !== undefined) await rm(this.#copy(id, old), { force: true })
  }

  /** The lease has gone. Rejects with system errors. */
  async forget(id: string): Promise<void> {
    const old = this.#entries.get(id)
    if (typeof old === 'number') await rm(this.#copy(id, old), { force: true })
    await rm(this.#mark(id), { force: true })
    this.#entries.delete(id)
  }

  #take(name: string): void {
    const [, evicted] = EVICTING.exec(name) ?? []
    if (evicted !== undefined) this.#entries.set(evicted, 'evicting')
    const [, id, digits] = COPY.exec(name) ?? []
    if (id === undefined) return
    const known = this.#entries.get(id)
    if (known !== 'evicting') this.#entries.set(id, Math.max(known ?? 0, Number(digits)))
  }

  /** Whether a killed server was about to remove the file. A copy that stayed would be taken for a lease that the state store has lost. */
  #isLeftOver(name: string): boolean {
    const [, id, digits] = COPY.exec(name) ?? []
    if (id === undefined) return DRAFT.test(name)
    return this.#entries.get(id) !== Number(digits)
  }

  async #write(path: string, text: string): Promise<void> {
    const draft = `${path}.draft`
    const file = await open(draft, 'w', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
    const folder = await open(this.#folder, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  }

  #copy(id: string, revision: number): string {
    return join(this.#folder, `${id}.${revision}.json`)
  }

  #mark(id: string): string {
    return join(this.#folder, `${id}.evicting`)
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function readNode(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
