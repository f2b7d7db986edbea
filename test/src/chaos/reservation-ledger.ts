// What of a unit's registrations and persistent reservation has to be there after a crash of either kind: with APTPL all that was answered, without
// it nothing [SPC-4 §5.13.5]. One change is under way at a time; it is found done or not done, never in part.

import type { ReservationState } from '@scsipub/scsi'

/** The part that is kept through a loss of power, as text; the same for equal states. */
export function keptState({ persistent, registrations, reservation }: ReservationState): string {
  if (!persistent) return JSON.stringify({ registrations: [] })
  const kept = registrations.map(({ port, key, allTargetPorts }) => ({ port, key, allTargetPorts }))
  const held = reservation && { type: reservation.type, holder: reservation.holder ?? 'all' }
  return JSON.stringify({ registrations: kept, ...(held && { reservation: held }) })
}

export const NOTHING_KEPT = JSON.stringify({ registrations: [] })

export class ReservationLedger {
  #answered: string
  #underWay: string | undefined

  constructor(answered = NOTHING_KEPT) {
    this.#answered = answered
  }

  copy(): ReservationLedger {
    const copy = new ReservationLedger(this.#answered)
    copy.#underWay = this.#underWay
    return copy
  }

  /** A change to `next` (of `keptState`) is being asked for. */
  begin(next: string): void {
    this.#underWay = next
  }

  /** It was answered: done, or refused. */
  end(done: boolean): void {
    if (done && this.#underWay !== undefined) this.#answered = this.#underWay
    this.#underWay = undefined
  }

  /** What is wrong with the state that was found, in words. */
  faults(found: string): string[] {
    if (found === this.#answered || found === this.#underWay) return []
    const other = this.#underWay === undefined ? '' : ` or ${this.#underWay}`
    return [`reservations are ${found}; they have to be ${this.#answered}${other}`]
  }

  /** Goes on from what was found. */
  settle(found: string): void {
    this.#answered = found
    this.#underWay = undefined
  }
}
