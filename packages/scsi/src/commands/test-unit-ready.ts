// TEST UNIT READY [SPC-4 §6.47]. Whether a medium is loaded is asked by the dispatcher, as for every command that needs one.

import { cdb } from '../cdb.js'
import type { Context } from '../logical-unit.js'
import { REPORT_LUNS_WLUN } from '../lun.js'
import type { Outcome } from '../outcome.js'
import { checkCondition, good } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'

export const testUnitReadyCdb = cdb(6, {})

/** The unit is ready: nothing here takes time to become so. */
export function testUnitReady(): Outcome {
  return good
}

/** The well known logical unit is always ready; a missing one is not supported. */
export function testUnitReadyWithoutLu(_cdb: Buffer, _offset: number, { lun }: Context): Outcome {
  return lun === REPORT_LUNS_WLUN ? good : checkCondition(senseCodes.logicalUnitNotSupported)
}
