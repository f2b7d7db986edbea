// REPORT LUNS [SPC-4 §6.33]: answered by every logical unit, by the well known one, and where there is none.

import { layout, u8, u32 } from '@scsipub/bytes'
import { cdb } from '../cdb.js'
import type { Context } from '../logical-unit.js'
import { encodeLun, REPORT_LUNS_WLUN } from '../lun.js'
import type { Outcome } from '../outcome.js'
import { dataIn, invalidFieldInCdb } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'

export const reportLunsCdb = cdb(12, { selectReport: u8(2), allocationLength: u32(6) })

const header = layout(8, { lunListLength: u32(0) })

/** Least ALLOCATION LENGTH: the header and one LUN [SPC-4 §6.33]. */
const MIN_ALLOCATION_BYTES = 16

/** The LUNs of the target that this nexus may see. Clears 3F/0E, on all logical units of the I_T nexus [SPC-4 §6.33, SAM-5 §5.14]. */
export function reportLuns(cdb: Buffer, offset: number, { target }: Context): Outcome {
  const { get, pointer } = reportLunsCdb
  const luns = selected(get.selectReport(cdb, offset), target.luns)
  if (luns === undefined) return invalidFieldInCdb(pointer.selectReport)
  const allocationLength = get.allocationLength(cdb, offset)
  if (allocationLength < MIN_ALLOCATION_BYTES) return invalidFieldInCdb(pointer.allocationLength)

  const data = Buffer.alloc(header.size + luns.length * 8)
  header.set.lunListLength(data, 0, luns.length * 8)
  for (const [index, lun] of luns.entries()) encodeLun(lun, data, header.size + index * 8)
  return { ...dataIn(data, allocationLength), clears: senseCodes.reportedLunsDataChanged }
}

/** [SPC-4 §6.33, SELECT REPORT]: 0 without well known units, 1 only those, 2 all. */
function selected(selectReport: number, luns: readonly number[]): readonly number[] | undefined {
  switch (selectReport) {
    case 0x00:
      return luns
    case 0x01:
      return [REPORT_LUNS_WLUN]
    case 0x02:
      return [...luns, REPORT_LUNS_WLUN]
    default:
      return undefined
  }
}
