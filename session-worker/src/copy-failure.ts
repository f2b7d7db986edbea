/** Why a copy ended early, as the initiator is told it. */
import type { Sense } from '@scsipub/scsi'

export class CopyFailed extends Error {
  readonly sense: Sense

  constructor(sense: Sense) {
    super(sense.code.text)
    this.name = 'CopyFailed'
    this.sense = sense
  }
}
