// What has to be found of all disks after a crash: their content, reservations, identity and the count of booked sectors.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DiskLedger } from '../disk-ledger.js'
import { ReservationLedger } from '../reservation-ledger.js'
import { type DiskReport, type LifeMark, type StateReport, snapshotName } from './life-messages.js'
import { initialOf, POWER_DISKS } from './power-disks.js'

interface DiskState {
  readonly id: string
  readonly frozen: boolean
  readonly data: DiskLedger
  readonly reservations: ReservationLedger
  /** Once an opening was answered. */
  identity: string | undefined
}

export type Crash = 'kill' | 'powerCut'

export class StateLedger {
  readonly #disks: readonly DiskState[]
  /** Disk of each operation under way. */
  readonly #of = new Map<number, number>()
  /** By operation: what a snapshot that was answered may hold. */
  readonly #snapshots = new Map<number, DiskLedger>()

  constructor(disks?: readonly DiskState[]) {
    this.#disks =
      disks ??
      POWER_DISKS.map(disk => ({
        id: disk.id,
        frozen: disk.frozen,
        data: new DiskLedger({ sectors: disk.sectors, initial: initialOf(disk) }),
        reservations: new ReservationLedger(),
        identity: undefined,
      }))
  }

  copy(): StateLedger {
    const copy = new StateLedger(
      this.#disks.map(disk => ({ ...disk, data: disk.data.copy(), reservations: disk.reservations.copy() })),
    )
    for (const [id, disk] of this.#of) copy.#of.set(id, disk)
    for (const [id, frozen] of this.#snapshots) copy.#snapshots.set(id, frozen.copy())
    return copy
  }

  /** Takes in what the load asked and was answered. */
  note(mark: LifeMark): void {
    switch (mark.kind) {
      case 'begin':
      case 'snapshot':
        this.#of.set(mark.operation.id, mark.operation.disk)
        return this.#disks[mark.operation.disk]!.data.begin(mark.operation)
      case 'end':
      case 'snapshotted': {
        const { data } = this.#disks[this.#of.get(mark.id)!]!
        this.#of.delete(mark.id)
        // A snapshot has all that was answered before it was asked for, and it is durable: as after a flush.
        data.end(mark.id, mark.done)
        if (mark.kind === 'snapshotted') this.#snapshots.set(mark.id, data.copy())
        return
      }
      case 'reserve':
        return this.#disks[mark.disk]!.reservations.begin(mark.next)
      case 'reserved':
        return this.#disks[mark.disk]!.reservations.end(mark.done)
    }
  }

  /** Everything that is wrong with what was dumped. `damaged`: a disk that may be refused. */
  faults(crash: Crash, dump: string, damaged?: string): string[] {
    const report = readReport(dump)
    const ofDisks = this.#disks.flatMap(disk => {
      const found = report[disk.id]
      const faults = found ? this.#faultsOf(disk, crash, found, dump, damaged) : ['was not looked at']
      return faults.map(fault => `disk ${disk.id}: ${fault}`)
    })
    const ofSnapshots = [...this.#snapshots].flatMap(([id, frozen]) => {
      const path = join(dump, snapshotName(id))
      const faults = existsSync(path) ? frozen.faults('powerCut', readFileSync(path)) : ['is gone']
      return faults.map(fault => `${snapshotName(id)}: ${fault}`)
    })
    return [...ofDisks, ...ofSnapshots]
  }

  /** Goes on from what was dumped, which has no faults. */
  settle(crash: Crash, dump: string): void {
    const report = readReport(dump)
    this.#of.clear()
    // From now on a snapshot may never hold anything else.
    for (const [id, frozen] of this.#snapshots) frozen.settle('powerCut', readFileSync(join(dump, snapshotName(id))))
    for (const disk of this.#disks) {
      const found = report[disk.id]
      if (!found || found.refused !== undefined) throw new Error(`disk ${disk.id} is not open`)
      disk.data.settle(crash, readFileSync(join(dump, disk.id)))
      disk.reservations.settle(found.reservations)
      disk.identity = JSON.stringify(found.identity)
    }
  }

  #faultsOf(disk: DiskState, crash: Crash, found: DiskReport, dump: string, damaged?: string): string[] {
    if (found.refused !== undefined) return disk.id === damaged ? [] : [`is refused: ${found.why}`]
    const faults = disk.data.faults(crash, readFileSync(join(dump, disk.id)))
    // Through layers, zeros may be of either state.
    if (crash === 'kill' && !disk.frozen)
      faults.push(...disk.data.statusFaults(readFileSync(join(dump, `${disk.id}.status`))))
    faults.push(...disk.reservations.faults(found.reservations))
    if (disk.identity !== undefined && disk.identity !== JSON.stringify(found.identity))
      faults.push('has another identity')
    if (found.booked !== found.counted)
      faults.push(`books ${found.booked} sectors, and its bitmap has ${found.counted}`)
    return faults
  }
}

function readReport(dump: string): StateReport {
  return JSON.parse(readFileSync(join(dump, 'report.json'), 'utf8')) as StateReport
}
