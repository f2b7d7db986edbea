// SCSI status codes [SAM-5 §5.3.1]. Obsolete ones (INTERMEDIATE, COMMAND TERMINATED) are left out.

/** The status byte that ends a command. */
export const status = {
  good: 0x00,
  checkCondition: 0x02,
  conditionMet: 0x04,
  busy: 0x08,
  reservationConflict: 0x18,
  taskSetFull: 0x28,
  acaActive: 0x30,
  taskAborted: 0x40,
} as const

export type Status = (typeof status)[keyof typeof status]

const names = new Map<number, string>([
  [status.good, 'GOOD'],
  [status.checkCondition, 'CHECK CONDITION'],
  [status.conditionMet, 'CONDITION MET'],
  [status.busy, 'BUSY'],
  [status.reservationConflict, 'RESERVATION CONFLICT'],
  [status.taskSetFull, 'TASK SET FULL'],
  [status.acaActive, 'ACA ACTIVE'],
  [status.taskAborted, 'TASK ABORTED'],
])

/** The standard's name of a status byte, for logs; an unknown one as hexadecimal. */
export function statusName(code: number): string {
  return names.get(code) ?? `${code.toString(16).toUpperCase().padStart(2, '0')}h`
}
