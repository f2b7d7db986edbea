/**
 * The LUNs of a session, which may change while it goes on: one map for its whole life, so that commands find their LUN by one look, and next to it the list
 * that REPORT LUNS tells.
 *
 * What a change means to the initiator is established here too: LUNs that were there before get 3F/0E, a new one begins as after power on, since its number may have
 * been that of another unit [SPC-4 §6.33, SAM-5 §5.14, §6.3.1]. Left out: the tasks of a LUN that goes, see `Session.changeLuns`.
 */
import type { LunGrant } from '@scsipub/contract'
import { clearUnitAttention, establishUnitAttention, senseCodes, type Target, type UnitAttention } from '@scsipub/scsi'
import type { Lun } from './lun.js'

/** Makes a LUN of what the supervisor has granted. */
export type MakeLun = (grant: LunGrant, target: Target) => Lun

export class SessionLuns {
  readonly target: Target
  readonly #byNumber = new Map<number, Lun>()
  readonly #numbers: number[] = []
  readonly #make: MakeLun

  /** `grants`: those that the session begins with. */
  constructor(o: { target: Omit<Target, 'luns'>; grants: readonly LunGrant[]; make: MakeLun }) {
    this.target = { ...o.target, luns: this.#numbers }
    this.#make = o.make
    for (const grant of o.grants) this.#put(grant)
    this.#list()
  }

  get byNumber(): ReadonlyMap<number, Lun> {
    return this.#byNumber
  }

  /**
   * Takes LUNs away, and adds others; the ones that went are returned. From now on commands to them find nothing. A number that is taken and
   * added is another unit, one that is added as it is already stays as it is.
   */
  change(add: readonly LunGrant[], remove: readonly number[]): Lun[] {
    const gone = remove.flatMap(number => this.#take(number))
    const before = new Set(this.#byNumber.values())
    for (const grant of add) {
      const old = this.#byNumber.get(grant.lun)
      if (old?.lu.identity.naa === grant.volume.identity.naa) continue
      if (old) gone.push(...this.#take(grant.lun))
      establishUnitAttention(this.#put(grant).nexus.unitAttentions, senseCodes.powerOnOccurred)
    }
    this.#list()
    if (gone.length === 0 && this.#byNumber.size === before.size) return []
    for (const lun of this.#byNumber.values())
      if (before.has(lun)) establishUnitAttention(lun.nexus.unitAttentions, senseCodes.reportedLunsDataChanged)
    return gone
  }

  /** The initiator knows by now: REPORT LUNS clears 3F/0E for every LUN of its I_T nexus [SAM-5 §5.14]. */
  clear(condition: UnitAttention): void {
    for (const { nexus } of this.#byNumber.values()) clearUnitAttention(nexus.unitAttentions, condition)
  }

  #take(number: number): Lun[] {
    const lun = this.#byNumber.get(number)
    this.#byNumber.delete(number)
    return lun ? [lun] : []
  }

  #put(grant: LunGrant): Lun {
    const lun = this.#make(grant, this.target)
    this.#byNumber.set(grant.lun, lun)
    return lun
  }

  #list(): void {
    this.#numbers.splice(0, this.#numbers.length, ...[...this.#byNumber.keys()].sort((a, b) => a - b))
  }
}
