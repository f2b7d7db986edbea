/**
 * What a nexus does to the state of its logical unit that holds for other nexuses too. A session worker asks for it by `unit.change`; the storage
 * engine does it, sets the words of the control block, and tells the other sessions before it answers. Errors have a code of
 * `UnitRefusal`, or those of a volume ('gone', 'busy').
 */
import type { JTDDataType } from 'ajv/dist/core.js'

export const unitChangeSchema = {
  discriminator: 'name',
  mapping: {
    /** Keeps everybody else out: once it is answered, no I/O of another nexus lands. [SPC-2 §7.21] */
    reserve: { properties: {} },
    /** Gives up one's own reservation; that of another stays. */
    release: { properties: {} },
    /** Software write protect, descriptor format sense. [SPC-4 §7.5.8] */
    setMode: { properties: { softwareWriteProtect: { type: 'boolean' }, descriptorSense: { type: 'boolean' } } },
    /** Prevents the removal of the medium, or allows it again, as far as this nexus is concerned. [SBC-3 §5.10] */
    prevent: { properties: { prevented: { type: 'boolean' } } },
    eject: { properties: {} },
    load: { properties: {} },
  },
} as const
export type UnitChange = JTDDataType<typeof unitChangeSchema>

/** Why a change is refused: another nexus holds a reservation; a nexus prevents the removal of the medium. */
export type UnitRefusal = 'reserved' | 'prevented'
