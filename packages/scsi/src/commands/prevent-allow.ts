// PREVENT ALLOW MEDIUM REMOVAL [SBC-3 §5.10]. Each nexus prevents for itself; a medium can be removed when none does. A unit whose medium
// cannot be removed at all takes the command and has nothing to do for it.

import { bits } from '@scsipub/bytes'
import { cdb } from '../cdb.js'
import type { Command, ReservationClass } from '../command.js'
import { good, invalidFieldInCdb } from '../outcome.js'

export const preventAllowCdb = cdb(6, { prevent: bits(4, 0, 2) })

/** 10b and 11b were for medium changers and are obsolete. */
export const preventAllow: Command['run'] = (cdb, offset, _context, lu) => {
  const { get, pointer } = preventAllowCdb
  const prevent = get.prevent(cdb, offset)
  if (prevent > 1) return invalidFieldInCdb(pointer.prevent)
  return lu.removable ? { kind: 'unit', change: { name: 'prevent', prevented: prevent === 1 } } : good
}

/** To allow is allowed under every reservation [SPC-4 §5.13.1, SPC-2 §5.5.1]. */
export function preventAllowReservation(cdb: Buffer, offset: number): ReservationClass {
  return preventAllowCdb.get.prevent(cdb, offset) === 0 ? 'allowed' : 'asWrite'
}
