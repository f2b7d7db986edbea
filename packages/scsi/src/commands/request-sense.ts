// REQUEST SENSE [SPC-4 §6.39]. Sense goes with every CHECK CONDITION, so what is left to ask for is a pending unit attention,
// which is thereby reported and cleared, or what hinders the unit now.

import { bit, u8 } from '@scsipub/bytes'
import { cdb } from '../cdb.js'
import type { Context } from '../logical-unit.js'
import { hasMedium } from '../logical-unit.js'
import { REPORT_LUNS_WLUN } from '../lun.js'
import type { Outcome } from '../outcome.js'
import { dataIn } from '../outcome.js'
import { sanitizeSense } from '../sanitize-sense.js'
import type { Sense } from '../sense.js'
import { encodeSense } from '../sense.js'
import { senseCodes } from '../sense-codes.js'
import { takeUnitAttention } from '../unit-attention.js'

export const requestSenseCdb = cdb(6, { desc: bit(1, 0), allocationLength: u8(4) })

/** Sense data as parameter data, status GOOD, also where there is no logical unit [SPC-4 §6.39]. */
export function requestSense(cdb: Buffer, offset: number, context: Context): Outcome {
  const { get } = requestSenseCdb
  return dataIn(
    encodeSense(condition(context), get.desc(cdb, offset) ? 'descriptor' : 'fixed'),
    get.allocationLength(cdb, offset),
  )
}

function condition({ lu, lun, nexus }: Context): Sense {
  if (lu === undefined && lun !== REPORT_LUNS_WLUN) return { code: senseCodes.logicalUnitNotSupported }
  const pending = takeUnitAttention(nexus.unitAttentions)
  if (pending !== undefined) return { code: pending }
  if (lu?.sanitize !== undefined) return sanitizeSense(lu.sanitize)
  return { code: lu !== undefined && !hasMedium(lu) ? senseCodes.mediumNotPresent : senseCodes.noSense }
}
