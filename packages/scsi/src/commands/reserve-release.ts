// RESERVE and RELEASE (6) and (10) [SPC-2 §7.16, §7.17, §7.21, §7.22]: the whole unit, for the nexus that asks.
//
// Obsolete since SPC-3, and still what old cluster software fences with. Extents and third parties were dropped before, and have no
// field here: their bits are refused, and so is a parameter list, which only they had. Who holds the unit, and whose commands that
// keeps out, the caller knows.

import { cdb } from '../cdb.js'
import type { Outcome } from '../outcome.js'

export const reserveRelease6Cdb = cdb(6, {})
export const reserveRelease10Cdb = cdb(10, {})

/** Reserve; again is no error for the holder [SPC-2 §7.21.2]. */
export function reserve(): Outcome {
  return { kind: 'unit', change: { name: 'reserve' } }
}

/** Release; without a reservation of this nexus it is GOOD and has no effect [SPC-2 §7.16.2]. */
export function release(): Outcome {
  return { kind: 'unit', change: { name: 'release' } }
}
