// What each sector of one disk may hold, by what was asked for and what was answered. Two questions are put to it: after the process was killed, and
// after the power has failed.
//
//   entries of a sector, oldest first:   promised │ answered … answered │ under way
//   killed process    the last answered one, or the one under way
//   power cut         the promised one, or any that came after it: of what was not flushed, the disk may have any state
//
// An answered flush makes the last entry that was answered before it was asked for the promised one. A WRITE ATOMIC is found whole or not at all,
// also when nothing of it was answered; so is a growth of the disk.

import type { DiskOperation } from './disk-operation.js'
import { describeBytes, describeValue, holds, SECTOR_BYTES, type SectorValue, statusOf } from './sector-value.js'

interface Entry {
  readonly value: SectorValue
  /** The operation it comes from; 0 for what was there at the beginning. */
  readonly operation: number
  /** When it was answered, as the ledger counts; infinite while it is under way. */
  readonly answered: number
}

export interface LedgerOptions {
  /** At first. */
  readonly sectors: number
  /** What a sector holds that nobody has written. */
  readonly initial: (sector: number) => SectorValue
}

export type Crash = 'kill' | 'powerCut'

/** A disk as it is found, and the snapshot that it stands on where its ledger has sectors of the kind `below`. */
export interface FoundDisk {
  readonly content: Buffer
  readonly below?: Buffer | undefined
}

const UNANSWERED = Number.POSITIVE_INFINITY
/** So many faults of one disk are told in words. */
const MAX_FAULTS = 8

export class DiskLedger {
  readonly #options: LedgerOptions
  /** Sectors that something has been done to. */
  readonly #entries = new Map<number, readonly Entry[]>()
  /** Atomic writes that are not promised yet, with their sectors. */
  readonly #atomic = new Map<number, { first: number; count: number }>()
  readonly #underWay = new Map<number, { operation: DiskOperation; asked: number }>()
  /** Sectors with more than a promised entry. */
  readonly #open = new Set<number>()
  #clock = 1
  #sectors: number
  /** Sectors that it is being grown to. */
  #growsTo: number | undefined

  constructor(options: LedgerOptions) {
    this.#options = options
    this.#sectors = options.sectors
  }

  /** A ledger of its own with the same entries. */
  copy(): DiskLedger {
    const copy = new DiskLedger(this.#options)
    for (const [sector, entries] of this.#entries) copy.#entries.set(sector, entries)
    for (const [id, extent] of this.#atomic) copy.#atomic.set(id, extent)
    for (const [id, task] of this.#underWay) copy.#underWay.set(id, task)
    for (const sector of this.#open) copy.#open.add(sector)
    copy.#clock = this.#clock
    copy.#sectors = this.#sectors
    copy.#growsTo = this.#growsTo
    return copy
  }

  get sectors(): number {
    return this.#sectors
  }

  /** What it may have after a crash. */
  get sizes(): readonly number[] {
    return this.#growsTo === undefined ? [this.#sectors] : [this.#sectors, this.#growsTo]
  }

  /** A growth is being asked for. */
  beginGrowth(sectors: number): void {
    this.#growsTo = sectors
  }

  /** It was answered: done, or refused. */
  endGrowth(done: boolean): void {
    if (done) this.#sectors = this.#growsTo ?? this.#sectors
    this.#growsTo = undefined
  }

  /** It is being asked for. */
  begin(operation: DiskOperation): void {
    this.#underWay.set(operation.id, { operation, asked: this.#clock++ })
    const { id, name } = operation
    if (name === 'flush' || name === 'miscompare') return
    this.#each(operation, sector => {
      const entries = this.#of(sector)
      this.#set(sector, [
        ...entries,
        { value: after(operation, entries.at(-1)!.value), operation: id, answered: UNANSWERED },
      ])
    })
    if (name === 'writeAtomic') this.#atomic.set(id, operation)
  }

  /** It was answered: `done`, or with the assurance that nothing was done. */
  end(id: number, done: boolean): void {
    const { operation, asked } = this.#underWay.get(id) ?? {}
    if (!operation || asked === undefined) throw new Error(`operation ${id} is not under way`)
    this.#underWay.delete(id)
    if (operation.name === 'flush') {
      if (done) this.#promise(asked)
      return
    }
    if (operation.name === 'miscompare') return
    const now = this.#clock++
    const durable = operation.name === 'writeFua' || operation.name === 'writeAtomic' || operation.name === 'sanitize'
    this.#each(operation, sector => {
      const entries = this.#of(sector)
      const index = entries.findIndex(entry => entry.operation === id)
      const answered = entries.map(entry => (entry.operation === id ? { ...entry, answered: now } : entry))
      if (!done) this.#set(sector, entries.toSpliced(index, 1))
      else this.#set(sector, durable ? answered.slice(index) : answered)
    })
    if (durable || !done) this.#atomic.delete(id)
  }

  /** Faults of what is found after a crash, in words; none when all is as promised. The ledger stays as it is. */
  faults(crash: Crash, disk: FoundDisk): string[] {
    const faults: string[] = []
    const { content } = disk
    const sectors = content.length / SECTOR_BYTES
    if (!this.sizes.includes(sectors))
      return [`the disk has ${sectors} sectors; it has to have ${this.sizes.join(' or ')}`]
    let wrong = 0
    for (let sector = 0; sector < sectors; sector++) {
      const allowed = this.#allowed(crash, sector)
      if (allowed.some(({ value }) => found(disk, sector, value))) continue
      if (wrong++ >= MAX_FAULTS) continue
      const wanted = allowed.map(({ value }) => describeValue(value)).join(', or ')
      faults.push(`sector ${sector} holds ${describeBytes(content, sector * SECTOR_BYTES)}; it has to be ${wanted}`)
    }
    if (wrong > MAX_FAULTS) faults.push(`and ${wrong - MAX_FAULTS} more sectors are wrong`)
    for (const [id, extent] of this.#atomic) {
      if (this.#torn(crash, disk, id, extent)) faults.push(`the atomic write ${id} is there in part`)
    }
    return faults
  }

  /** Faults of GET LBA STATUS after the process was killed: `statuses` has one for each sector. */
  statusFaults(statuses: Uint8Array): string[] {
    const faults: string[] = []
    for (let sector = 0; sector < statuses.length && faults.length < MAX_FAULTS; sector++) {
      const allowed = this.#allowed('kill', sector)
      const wanted = new Set(allowed.map(({ value }) => statusOf(value)))
      // Under way: the steps of an unmapping are seen one by one.
      if (allowed.length > 1 || wanted.has(undefined)) continue
      const found = statuses[sector]
      if (!wanted.has(found as 0 | 1 | 2)) faults.push(`sector ${sector} has status ${found} instead of ${[...wanted]}`)
    }
    return faults
  }

  /** Goes on from what was found, which has no faults. */
  settle(crash: Crash, disk: FoundDisk): void {
    this.#sectors = disk.content.length / SECTOR_BYTES
    this.#growsTo = undefined
    for (const sector of [...this.#entries.keys()]) {
      const entries = this.#of(sector)
      const allowed = this.#allowed(crash, sector)
      const settled = allowed.findLast(({ value }) => found(disk, sector, value))
      if (!settled) throw new Error(`sector ${sector} cannot be settled`)
      // An operation may have been broken off between its steps, so that zeros are of either state.
      const value = crash === 'powerCut' || allowed.length > 1 ? ofAnyStatus(settled.value) : settled.value
      if (crash === 'powerCut') this.#set(sector, [{ ...settled, value, answered: 0 }])
      else {
        const earlier = entries.slice(0, entries.indexOf(settled))
        this.#set(sector, [...earlier, { ...settled, value, answered: Math.min(settled.answered, this.#clock) }])
      }
    }
    this.#clock++
    this.#underWay.clear()
    for (const [id, { first }] of this.#atomic) {
      if (crash === 'powerCut' || !this.#of(first).some(({ operation }) => operation === id)) this.#atomic.delete(id)
    }
  }

  /** Every entry that was answered before `asked` is durable. */
  #promise(asked: number): void {
    for (const sector of [...this.#open]) {
      const entries = this.#of(sector)
      const last = entries.findLastIndex(({ answered }) => answered < asked)
      if (last > 0) this.#set(sector, entries.slice(last))
    }
    for (const [id, extent] of [...this.#atomic]) {
      if (!this.#some(extent, sector => this.#of(sector).findIndex(({ operation }) => operation === id) > 0))
        this.#atomic.delete(id)
    }
  }

  #allowed(crash: Crash, sector: number): readonly Entry[] {
    const entries = this.#of(sector)
    return crash === 'powerCut'
      ? entries
      : entries.slice(entries.findLastIndex(({ answered }) => answered !== UNANSWERED))
  }

  #torn(crash: Crash, disk: FoundDisk, id: number, extent: { first: number; count: number }): boolean {
    const later = (sector: number) => this.#of(sector).findIndex(({ operation }) => operation === id)
    const held = (sector: number) => this.#allowed(crash, sector).filter(({ value }) => found(disk, sector, value))
    const place = (sector: number, entry: Entry) => this.#of(sector).indexOf(entry)
    const allNew = !this.#some(extent, sector => !held(sector).some(entry => place(sector, entry) >= later(sector)))
    const allOld = !this.#some(extent, sector => !held(sector).some(entry => place(sector, entry) < later(sector)))
    return !allNew && !allOld
  }

  #of(sector: number): readonly Entry[] {
    return this.#entries.get(sector) ?? [{ value: this.#options.initial(sector), operation: 0, answered: 0 }]
  }

  #set(sector: number, entries: readonly Entry[]): void {
    this.#entries.set(sector, entries)
    if (entries.length > 1) this.#open.add(sector)
    else this.#open.delete(sector)
  }

  #each({ first, count }: { first: number; count: number }, act: (sector: number) => void): void {
    const end = Math.min(first + count, this.#sectors)
    for (let sector = first; sector < end; sector++) act(sector)
  }

  #some({ first, count }: { first: number; count: number }, holdsFor: (sector: number) => boolean): boolean {
    for (let sector = first; sector < first + count; sector++) if (holdsFor(sector)) return true
    return false
  }
}

function found({ content, below }: FoundDisk, sector: number, value: SectorValue): boolean {
  return holds(content, sector * SECTOR_BYTES, sector, value, below)
}

/** The value of a sector after the operation, given the one before. */
function after({ name, id }: DiskOperation, before: SectorValue): SectorValue {
  switch (name) {
    case 'orWrite':
      return { kind: 'or', below: before, tag: id }
    case 'unmap':
    case 'unmapSame':
    case 'sanitize':
      return { kind: 'hole' }
    case 'anchor':
      return { kind: 'anchored' }
    case 'writeSame':
      return { kind: 'same', tag: id }
    // WRITE SAME of zeros without UNMAP is mapped.
    case 'writeZeros':
      return { kind: 'zero' }
    default:
      return { kind: 'data', tag: id }
  }
}

/** Zeros of which nobody can say whether they are deallocated: the durable bitmap knows of presence alone. */
function ofAnyStatus(value: SectorValue): SectorValue {
  return value.kind === 'hole' || value.kind === 'anchored' || value.kind === 'absent' ? { kind: 'zero' } : value
}
