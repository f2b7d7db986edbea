/** What is not as usual with a logical unit, as its control block says it: the storage engine sets it, session workers look. What stands behind it, the engine knows. */

/** Bits of the state word. `othersRead`: who has not full access under the persistent reservation may read. */
export const UNIT_STATE = {
  reserved: 1,
  mediumAbsent: 2,
  softwareWriteProtect: 4,
  descriptorSense: 8,
  persistentlyReserved: 16,
  othersRead: 32,
} as const
