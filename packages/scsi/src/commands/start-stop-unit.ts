// START STOP UNIT [SBC-3 §5.25].
//
// Nothing here spins. START is acknowledged; stopping makes the cache durable, as NO_FLUSH=0 asks, and leaves the unit
// ready: several initiators may share a unit, and if one could stop it, the others would meet 2/04/02 on a disk that nobody
// touched (ESXi and Windows send START=0 when they give a path up). Conformance tests want TEST UNIT READY to be GOOD after LOEJ=0 too.
// A POWER CONDITION is acknowledged without effect, START and LOEJ then being ignored: the unit is always active, and says
// so by having no power condition page.
// Loading and ejecting belong to removable units; a fixed one refuses LOEJ. PREVENT ALLOW MEDIUM REMOVAL is left out.

import { bit, bits } from '@scsipub/bytes'
import { cdb } from '../cdb.js'
import type { ReservationClass } from '../command.js'
import type { Context, LogicalUnit } from '../logical-unit.js'
import { hasMedium } from '../logical-unit.js'
import type { Outcome } from '../outcome.js'
import { good, invalidFieldInCdb } from '../outcome.js'

export const startStopUnitCdb = cdb(
  6,
  {
    immed: bit(1, 0),
    powerConditionModifier: bits(3, 0, 4),
    powerCondition: bits(4, 4, 4),
    noFlush: bit(4, 2),
    loej: bit(4, 1),
    start: bit(4, 0),
  },
  ['powerConditionModifier'],
)

/** See the head of the file. */
export function startStopUnit(cdb: Buffer, offset: number, _context: Context, lu: LogicalUnit): Outcome {
  const { get, pointer } = startStopUnitCdb
  if (get.powerCondition(cdb, offset) !== 0) return good
  const start = get.start(cdb, offset)
  const immediate = get.immed(cdb, offset)
  const flush = !start && !get.noFlush(cdb, offset) && hasMedium(lu)
  if (get.loej(cdb, offset)) {
    if (!lu.removable) return invalidFieldInCdb(pointer.loej)
    return { kind: 'medium', action: start ? 'load' : 'eject', flush, immediate }
  }
  return flush ? { kind: 'flush', lba: 0, blocks: lu.sizeBlocks, immediate } : good
}

/** Starting is allowed under every reservation, everything else counts as a write [SBC-3 §4.17]. */
export function startStopReservation(cdb: Buffer, offset: number): ReservationClass {
  const { get } = startStopUnitCdb
  const startsOnly = get.start(cdb, offset) && get.powerCondition(cdb, offset) === 0
  return startsOnly ? 'allowed' : 'asWrite'
}
