// READ DEFECT DATA (10) and (12) [SBC-3 §5.17, §5.18]. There is no medium of which defects could be told: both lists are there when asked for, and empty,
// in whatever format was asked for.

import { bit, bits, layout, u16, u32 } from '@scsipub/bytes'
import { cdb } from '../cdb.js'
import type { Command, TableEntry } from '../command.js'
import { dataIn, invalidFieldInCdb } from '../outcome.js'

const asked = (byte: number) => ({
  reqPlist: bit(byte, 4),
  reqGlist: bit(byte, 3),
  defectListFormat: bits(byte, 0, 3),
})

export const readDefectData10Cdb = cdb(10, { ...asked(2), allocationLength: u16(7) })
/** Beyond an empty list every index is, and the list behind it empty. */
export const readDefectData12Cdb = cdb(12, { ...asked(1), addressDescriptorIndex: u32(2), allocationLength: u32(6) }, [
  'addressDescriptorIndex',
])

const given = { plistv: bit(1, 4), glistv: bit(1, 3), defectListFormat: bits(1, 0, 3) }
export const defectList10 = layout(4, { ...given, defectListLength: u16(2) })
export const defectList12 = layout(8, { ...given, generationCode: u16(2), defectListLength: u32(4) })

/** The one value without a meaning [SBC-3 §5.3]. */
const RESERVED_FORMAT = 0b111

const readDefectData10: Command['run'] = (cdb, offset) => {
  const { get, pointer } = readDefectData10Cdb
  const defectListFormat = get.defectListFormat(cdb, offset)
  if (defectListFormat === RESERVED_FORMAT) return invalidFieldInCdb(pointer.defectListFormat)
  const list = { plistv: get.reqPlist(cdb, offset), glistv: get.reqGlist(cdb, offset), defectListFormat }
  return dataIn(defectList10.encode(list), get.allocationLength(cdb, offset))
}

const readDefectData12: Command['run'] = (cdb, offset) => {
  const { get, pointer } = readDefectData12Cdb
  const defectListFormat = get.defectListFormat(cdb, offset)
  if (defectListFormat === RESERVED_FORMAT) return invalidFieldInCdb(pointer.defectListFormat)
  const list = { plistv: get.reqPlist(cdb, offset), glistv: get.reqGlist(cdb, offset), defectListFormat }
  return dataIn(defectList12.encode(list), get.allocationLength(cdb, offset))
}

const row = { direction: 'in', reserved: 'asRead', needsMedium: true } as const

/** Their rows of the command table. */
export const readsOfDefectData: Readonly<Record<number, TableEntry>> = {
  0x37: { name: 'READ DEFECT DATA(10)', spec: 'SBC-3 §5.17', cdb: readDefectData10Cdb, ...row, run: readDefectData10 },
  0xb7: { name: 'READ DEFECT DATA(12)', spec: 'SBC-3 §5.18', cdb: readDefectData12Cdb, ...row, run: readDefectData12 },
}
