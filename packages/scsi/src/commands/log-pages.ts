// The log pages of a unit: one row a page [SPC-4 §7.3]. LOG SENSE reads them, and makes the lists of what is supported from them.
//
// A page is a list of parameters with ascending codes. What a row computes may come from the unit alone, which the caller keeps
// current. Nothing is counted over time here, so there are no error counters and no temperature.

import type { LogicalUnit } from '../logical-unit.js'
import { provisioningParameters } from './provisioning-log-page.js'

/** One log parameter: PARAMETER CODE, the control byte and the value [SPC-4 §7.3.2]. */
export interface LogParameter {
  readonly code: number
  /** Byte 2: DU, TSD and FORMAT AND LINKING; 03h for a binary list that is not kept over a reset. */
  readonly control: number
  readonly value: Buffer
}

export interface LogPage {
  /** 01h to 3Eh, and 00h to FEh. */
  readonly code: number
  readonly subpage: number
  /** Units that have the page; absent means all. */
  readonly on?: (lu: LogicalUnit) => boolean
  readonly parameters: (lu: LogicalUnit) => readonly LogParameter[]
}

/** Ascending by page and subpage. */
export const logPages: readonly LogPage[] = [
  { code: 0x0c, subpage: 0, on: ({ thin }) => thin, parameters: provisioningParameters },
]
