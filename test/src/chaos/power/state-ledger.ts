// What has to be found of all disks and snapshots after a crash: which there are, their content, reservations, identity and the count of booked sectors.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Crash, DiskLedger, type FoundDisk } from '../disk-ledger.js'
import { ReservationLedger } from '../reservation-ledger.js'
import type { SectorValue } from '../sector-value.js'
import { SnapshotLedger } from '../snapshot-ledger.js'
import type { Change, DiskReport, LifeMark, StateReport } from './life-messages.js'
import { initialOf, POWER_DISKS } from './power-disks.js'

interface DiskState {
  readonly data: DiskLedger
  readonly reservations: ReservationLedger
  /** The snapshot that it is a clone of. */
  readonly below: string | undefined
  /** Through layers, zeros may be of either state. */
  layered: boolean
  /** Its making has been answered, and its removal not been asked for. */
  certain: boolean
  /** Once an opening was answered. */
  identity: string | undefined
}

export class StateLedger {
  readonly #disks = new Map<string, DiskState>()
  readonly #snapshots = new Map<string, SnapshotLedger>()
  /** Disk of each operation under way. */
  readonly #of = new Map<number, string>()
  readonly #changes = new Map<number, Change>()

  /** An empty data directory, in which the disks are made that always are there. */
  constructor() {
    for (const disk of POWER_DISKS)
      this.#disks.set(disk.id, diskOf({ sectors: disk.sectors, initial: initialOf(disk), certain: true }))
  }

  copy(): StateLedger {
    const copy = new StateLedger()
    for (const [id, disk] of this.#disks)
      copy.#disks.set(id, { ...disk, data: disk.data.copy(), reservations: disk.reservations.copy() })
    for (const [id, snapshot] of this.#snapshots) copy.#snapshots.set(id, snapshot.copy())
    for (const [id, disk] of this.#of) copy.#of.set(id, disk)
    for (const [id, change] of this.#changes) copy.#changes.set(id, change)
    return copy
  }

  /** Takes in what the load asked and was answered. */
  note(mark: LifeMark): void {
    switch (mark.kind) {
      case 'begin':
        this.#of.set(mark.operation.id, mark.volume)
        this.#disk(mark.volume).data.begin(mark.operation)
        for (const snapshot of this.#snapshots.values()) snapshot.written(mark.volume, mark.operation)
        return
      case 'end':
        this.#disk(this.#of.get(mark.id)!).data.end(mark.id, mark.done)
        this.#of.delete(mark.id)
        return
      case 'reserve':
        return this.#disk(mark.volume).reservations.begin(mark.next)
      case 'reserved':
        return this.#disk(mark.volume).reservations.end(mark.done)
      case 'change':
        this.#changes.set(mark.id, mark.change)
        return this.#begin(mark.id, mark.change)
      case 'changed': {
        const change = this.#changes.get(mark.id)!
        this.#changes.delete(mark.id)
        return this.#end(mark.id, change, mark.done)
      }
    }
  }

  /** Everything that is wrong with what was dumped. `damaged`: a disk that may be refused. */
  faults(crash: Crash, dump: string, damaged?: string): string[] {
    const report = readReport(dump)
    const faults: string[] = []
    for (const [id, disk] of this.#disks) {
      const found = report.disks[id]
      const told = found ? this.#faultsOf(id, disk, crash, found, dump, damaged) : disk.certain ? ['is gone'] : []
      faults.push(...told.map(fault => `disk ${id}: ${fault}`))
    }
    for (const [id, snapshot] of this.#snapshots) {
      const there = report.snapshots.includes(id)
      const told = there ? snapshot.faults(foundIn(dump, id, snapshot.below)) : snapshot.certain ? ['is gone'] : []
      faults.push(...told.map(fault => `${id}: ${fault}`))
    }
    const unknown = [
      ...Object.keys(report.disks).filter(id => !this.#disks.has(id)),
      ...report.snapshots.filter(id => !this.#snapshots.has(id)),
    ]
    faults.push(...unknown.map(id => `${id}: is there, and nobody has it`))
    if (damaged === undefined) faults.push(...report.strays.map(path => `${path} has been left over`))
    return faults
  }

  /** Goes on from what was dumped, which has no faults. */
  settle(crash: Crash, dump: string): void {
    const report = readReport(dump)
    this.#of.clear()
    this.#changes.clear()
    for (const [id, snapshot] of this.#snapshots) {
      if (report.snapshots.includes(id)) snapshot.settle(readFileSync(join(dump, id)))
      else this.#snapshots.delete(id)
    }
    for (const [id, disk] of this.#disks) {
      const found = report.disks[id]
      if (!found) {
        this.#disks.delete(id)
        continue
      }
      if (found.refused !== undefined) throw new Error(`disk ${id} is not open`)
      disk.data.settle(crash, foundIn(dump, id, disk.below))
      disk.reservations.settle(found.reservations)
      disk.identity = JSON.stringify(found.identity)
      disk.certain = true
    }
  }

  #begin(id: number, change: Change): void {
    switch (change.what) {
      case 'grow': {
        const { data } = this.#disk(change.volume)
        // As with a snapshot, what was answered before is on the disk then.
        data.begin(flush(id))
        return data.beginGrowth(change.sectors)
      }
      case 'freeze': {
        const disk = this.#disk(change.volume)
        disk.data.begin(flush(id))
        disk.layered = true
        this.#snapshots.set(change.snapshot, new SnapshotLedger(change.volume, disk.data.copy(), disk.below))
        return
      }
      case 'make': {
        const { sectors, snapshot } = change
        const initial = (): SectorValue => ({ kind: snapshot === undefined ? 'absent' : 'below' })
        this.#disks.set(change.volume, diskOf({ sectors, initial, below: snapshot, certain: false }))
        return
      }
      case 'remove':
        this.#disk(change.volume).certain = false
        return
      case 'destroy':
        this.#snapshot(change.snapshot).certain = false
    }
  }

  #end(id: number, change: Change, done: boolean): void {
    switch (change.what) {
      case 'grow': {
        const { data } = this.#disk(change.volume)
        data.end(id, done)
        return data.endGrowth(done)
      }
      case 'freeze': {
        const { data } = this.#disk(change.volume)
        // A snapshot has all that was answered before it was asked for, and it is durable: as after a flush.
        data.end(id, done)
        if (done) this.#snapshot(change.snapshot).taken(data.copy())
        else this.#snapshots.delete(change.snapshot)
        return
      }
      case 'make':
        if (done) this.#disk(change.volume).certain = true
        else this.#disks.delete(change.volume)
        return
      case 'remove':
        if (done) this.#disks.delete(change.volume)
        else this.#disk(change.volume).certain = true
        return
      case 'destroy':
        if (done) this.#snapshots.delete(change.snapshot)
        else this.#snapshot(change.snapshot).certain = true
    }
  }

  #faultsOf(
    id: string,
    disk: DiskState,
    crash: Crash,
    found: DiskReport,
    dump: string,
    damaged: string | undefined,
  ): string[] {
    if (found.refused !== undefined) return id === damaged ? [] : [`is refused: ${found.why}`]
    const faults = disk.data.faults(crash, foundIn(dump, id, disk.below))
    if (crash === 'kill' && !disk.layered)
      faults.push(...disk.data.statusFaults(readFileSync(join(dump, `${id}.status`))))
    faults.push(...disk.reservations.faults(found.reservations))
    if (disk.identity !== undefined && disk.identity !== JSON.stringify(found.identity))
      faults.push('has another identity')
    if (found.booked !== found.counted)
      faults.push(`books ${found.booked} sectors, and its bitmap has ${found.counted}`)
    return faults
  }

  #disk(id: string): DiskState {
    const disk = this.#disks.get(id)
    if (!disk) throw new Error(`the load has no disk ${id}`)
    return disk
  }

  #snapshot(id: string): SnapshotLedger {
    const snapshot = this.#snapshots.get(id)
    if (!snapshot) throw new Error(`the load has no ${id}`)
    return snapshot
  }
}

function diskOf(o: {
  sectors: number
  initial: (sector: number) => SectorValue
  below?: string | undefined
  certain: boolean
}): DiskState {
  const { sectors, initial, below, certain } = o
  const data = new DiskLedger({ sectors, initial })
  return {
    data,
    reservations: new ReservationLedger(),
    below,
    layered: below !== undefined,
    certain,
    identity: undefined,
  }
}

function flush(id: number) {
  return { id, name: 'flush', disk: 0, first: 0, count: 0 } as const
}

function foundIn(dump: string, id: string, below: string | undefined): FoundDisk {
  const content = readFileSync(join(dump, id))
  if (below === undefined || !existsSync(join(dump, below))) return { content }
  return { content, below: readFileSync(join(dump, below)) }
}

function readReport(dump: string): StateReport {
  return JSON.parse(readFileSync(join(dump, 'report.json'), 'utf8')) as StateReport
}
