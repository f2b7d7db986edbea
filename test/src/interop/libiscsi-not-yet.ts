// Tests of libiscsi's suite that no kind of unit goes through yet, with the reason: the list may only become shorter. Whoever
// adds a command strikes its line; conformance.test.ts fails when a test of this list passes.

export interface NotYet {
  /** Suites, or single tests as `Suite.Test`. */
  readonly tests: readonly string[]
  readonly why: string
}

export const notYet: readonly NotYet[] = [
  {
    tests: [
      'PrinReadKeys',
      'PrinReportCapabilities',
      'PrinServiceactionRange',
      'ProutClear',
      'ProutPreempt',
      'ProutRegister',
      'ProutReserve',
    ],
    why: 'there are no persistent reservations',
  },
  {
    tests: ['CompareAndWrite', 'MultipathIO.CompareAndWrite', 'MultipathIO.CompareAndWriteAsync'],
    why: 'there is no COMPARE AND WRITE',
  },
  { tests: ['OrWrite'], why: 'there is no ORWRITE' },
  { tests: ['WriteAtomic16'], why: 'there is no WRITE ATOMIC' },
  {
    tests: [
      'WriteVerify10',
      'WriteVerify12',
      'WriteVerify16',
      'iSCSIResiduals.WriteVerify10Residuals',
      'iSCSIResiduals.WriteVerify12Residuals',
      'iSCSIResiduals.WriteVerify16Residuals',
    ],
    why: 'there is no WRITE AND VERIFY',
  },
  { tests: ['Prefetch10', 'Prefetch16'], why: 'there is no PRE-FETCH' },
  { tests: ['ReadDefectData10', 'ReadDefectData12'], why: 'there is no READ DEFECT DATA' },
  {
    tests: ['GetLBAStatus', 'Inquiry.BlockLimits', 'Unmap', 'WriteSame10', 'WriteSame16'],
    why: 'there is no thin provisioning, and no WRITE SAME',
  },
  { tests: ['Sanitize'], why: 'there is no SANITIZE' },
  { tests: ['Reserve6'], why: 'there is no RESERVE(6)' },
  { tests: ['PreventAllow', 'NoMedia', 'StartStopUnit'], why: 'the medium of a removable disk cannot be ejected' },
  { tests: ['ReadOnly'], why: 'not all commands that write are there' },
  { tests: ['ModeSense6.Control-SWP'], why: 'SWP cannot be changed' },
]
