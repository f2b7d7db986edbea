// The types of a persistent reservation [SPC-4 §6.15.3, table 206]: who is kept from what.

/** TYPE codes. 0, 2 and 4 are obsolete, the rest is reserved. */
export const reservationTypes = {
  writeExclusive: 1,
  exclusiveAccess: 3,
  writeExclusiveRegistrantsOnly: 5,
  exclusiveAccessRegistrantsOnly: 6,
  writeExclusiveAllRegistrants: 7,
  exclusiveAccessAllRegistrants: 8,
} as const

export type ReservationType = (typeof reservationTypes)[keyof typeof reservationTypes]

/** The only scope: the logical unit [SPC-4 §6.15.3, table 205]. */
export const LU_SCOPE = 0

const codes: ReadonlySet<number> = new Set(Object.values(reservationTypes))

export function isReservationType(code: number): code is ReservationType {
  return codes.has(code)
}

/** Every registered nexus holds it [SPC-4 §5.13.10]. */
export function isAllRegistrants(type: ReservationType): boolean {
  return type === 7 || type === 8
}

/** One nexus holds it, and all registered ones have the access of the holder. */
export function isRegistrantsOnly(type: ReservationType): boolean {
  return type === 5 || type === 6
}

/** Write exclusive: who has not the access of the holder may read. */
export function letsOthersRead(type: ReservationType): boolean {
  return type === 1 || type === 5 || type === 7
}
