/** Why a copy ended early, as the initiator is told it. */
import type { Failure } from './medium-sense.js'

export class CopyFailed extends Error {
  readonly sense: Failure

  constructor(sense: Failure) {
    super(sense === 'reservationConflict' ? 'RESERVATION CONFLICT' : sense.code.text)
    this.name = 'CopyFailed'
    this.sense = sense
  }
}
