// Unit attention conditions of one I_T_L nexus, in the order in which they are reported [SAM-5 §5.14].
//
// A queue without duplicates. Conditions of the 29/xx family come first, since they say that state was lost; a reset makes what
// was pending before it pointless and removes it. Who must be told what is decided by the owner of the nexus, not here.

import type { SenseCode } from './sense-codes.js'
import { senseCodes } from './sense-codes.js'

/** A row of the sense catalogue with sense key UNIT ATTENTION. */
export type UnitAttention = SenseCode

const RESET_FAMILY = 0x29

/** Precedence of the 29/xx conditions, most severe first; 29/00 stands for any of them [SAM-5 §5.14.4]. */
const severity: readonly number[] = [0x00, 0x01, 0x04, 0x02, 0x03, 0x07]

function rank({ asc, ascq }: UnitAttention): number {
  if (asc !== RESET_FAMILY) return Infinity
  const found = severity.indexOf(ascq)
  return found < 0 ? severity.length : found
}

/**
 * Establishes a unit attention condition. Nothing happens when the same one, or a 29/xx that says more, is already pending.
 * A power on or reset condition removes whatever was pending, an I_T nexus loss only the weaker 29/xx ones.
 */
export function establishUnitAttention(queue: UnitAttention[], condition: UnitAttention): void {
  const own = rank(condition)
  if (own === Infinity) {
    if (!queue.some(pending => same(pending, condition))) queue.push(condition)
    return
  }
  if (queue.some(pending => rank(pending) <= own)) return
  // A reset clears the conditions established before it [SAM-5 §6.3.3]; an I_T nexus loss keeps them [SAM-5 §6.3.4].
  const isReset = condition.ascq !== senseCodes.itNexusLossOccurred.ascq
  const kept = isReset ? [] : queue.filter(pending => rank(pending) === Infinity)
  queue.splice(0, queue.length, condition, ...kept)
}

/** Reports and so clears the first pending condition; undefined when there is none. */
export function takeUnitAttention(queue: UnitAttention[]): UnitAttention | undefined {
  return queue.shift()
}

/** Clears one condition, if pending, as an outcome that `clears` it wants. */
export function clearUnitAttention(queue: UnitAttention[], condition: UnitAttention): void {
  const index = queue.findIndex(pending => same(pending, condition))
  if (index >= 0) queue.splice(index, 1)
}

function same(a: UnitAttention, b: UnitAttention): boolean {
  return a.asc === b.asc && a.ascq === b.ascq
}
