// What two other targets do, as far as it was established: LIO of Linux 6.1.192, and tgt, whose source was read in version
// 1.0.97 and which was run in version 1.0.85. The runs are of libiscsi 1.19.0, all 230 tests, with two addresses.

export const VERSIONS = 'LIO of Linux 6.1.192 and tgt 1.0.97 (its runs: tgt 1.0.85)'

interface Others {
  readonly lio: string
  readonly tgt: string
}

const both: Others = { lio: 'yes', tgt: 'yes' }
const neither: Others = { lio: 'no', tgt: 'no' }

/** By name of the command without the length of its CDB; what is not here was not established. */
const commands: Readonly<Record<string, Others>> = {
  'COMPARE AND WRITE': { lio: 'one block', tgt: 'no' },
  'EXTENDED COPY': { lio: 'yes', tgt: 'no' },
  'GET LBA STATUS': { lio: 'no', tgt: 'yes' },
  INQUIRY: both,
  ORWRITE: { lio: 'no', tgt: 'yes' },
  'PERSISTENT RESERVE IN/READ FULL STATUS': { lio: 'yes', tgt: 'no' },
  'PERSISTENT RESERVE IN/READ KEYS': both,
  'PERSISTENT RESERVE IN/READ RESERVATION': both,
  'PERSISTENT RESERVE IN/REPORT CAPABILITIES': { lio: 'yes', tgt: 'in part' },
  'PERSISTENT RESERVE OUT/CLEAR': both,
  'PERSISTENT RESERVE OUT/PREEMPT': both,
  'PERSISTENT RESERVE OUT/PREEMPT AND ABORT': { lio: 'yes', tgt: 'no' },
  'PERSISTENT RESERVE OUT/REGISTER': both,
  'PERSISTENT RESERVE OUT/REGISTER AND IGNORE EXISTING KEY': both,
  'PERSISTENT RESERVE OUT/REGISTER AND MOVE': both,
  'PERSISTENT RESERVE OUT/RELEASE': both,
  'PERSISTENT RESERVE OUT/RESERVE': both,
  'POPULATE TOKEN': neither,
  'PRE-FETCH': { lio: 'no', tgt: 'yes' },
  'PREVENT ALLOW MEDIUM REMOVAL': { lio: 'no', tgt: 'yes' },
  READ: both,
  'READ CAPACITY': both,
  'READ DEFECT DATA': neither,
  'RECEIVE ROD TOKEN INFORMATION': neither,
  RELEASE: both,
  'REPORT SUPPORTED OPERATION CODES': { lio: 'since Linux 6.3', tgt: 'yes' },
  'REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS': { lio: '?', tgt: 'no' },
  'REPORT TARGET PORT GROUPS': { lio: 'yes', tgt: 'no' },
  RESERVE: both,
  SANITIZE: neither,
  'SET TARGET PORT GROUPS': { lio: 'yes', tgt: 'no' },
  'START STOP UNIT': both,
  'TEST UNIT READY': both,
  UNMAP: both,
  VERIFY: { lio: 'BYTCHK is not compared', tgt: 'yes' },
  WRITE: both,
  'WRITE AND VERIFY': { lio: 'in part', tgt: 'yes' },
  'WRITE ATOMIC': { lio: 'since October 2025', tgt: 'no' },
  'WRITE SAME': both,
  'WRITE USING TOKEN': neither,
}

const NOT_ESTABLISHED: Others = { lio: '?', tgt: '?' }

/** What the others do with a command of that name. */
export function othersOf(command: string): Others {
  const bare = command.replace(/\s*\(.*\)$/, '')
  if (bare.startsWith('SANITIZE')) return neither
  if (bare.startsWith('RECEIVE COPY')) return { lio: 'yes', tgt: 'no' }
  // Only seen in the 10- and 16-byte forms.
  if (command === 'VERIFY(12)') return { lio: '?', tgt: 'yes' }
  return commands[bare] ?? NOT_ESTABLISHED
}

/** How many tests of a suite of libiscsi the others failed. */
export const failedBy: Readonly<Record<'lio' | 'tgt', Readonly<Record<string, number>>>> = {
  lio: {
    CompareAndWrite: 2,
    ReceiveCopyResults: 1,
    Reserve6: 2,
    Sanitize: 1,
    Verify10: 2,
    Verify16: 2,
    iSCSIResiduals: 5,
    iSCSIdatasn: 1,
  },
  tgt: {
    GetLBAStatus: 1,
    MultipathIO: 1,
    PrinReportCapabilities: 1,
    PrinServiceactionRange: 1,
    ProutReserve: 7,
    Reserve6: 1,
    iSCSIdatasn: 1,
  },
}
