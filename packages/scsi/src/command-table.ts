// The command table: the one place that knows the commands. Dispatch, validation of CDBs, REPORT SUPPORTED OPERATION CODES,
// reservation conflicts and the names in logs all read it. What is not here is not supported, and nowhere said to be.

import type { TableEntry } from './command.js'
import { exclusiveWrites } from './commands/exclusive-writes.js'
import { inquiry, inquiryCdb } from './commands/inquiry.js'
import { modeSense6, modeSense6Cdb, modeSense10, modeSense10Cdb } from './commands/mode-sense.js'
import { persistentReserveRows } from './commands/persistent-reserve.js'
import { preFetches } from './commands/pre-fetch.js'
import { getLbaStatusRow, provisioningCommands } from './commands/provisioning-commands.js'
import { readCapacity10, readCapacity10Cdb, readCapacity16, readCapacity16Cdb } from './commands/read-capacity.js'
import { readsOfDefectData } from './commands/read-defect-data.js'
import { read, read6, transfer6, transfer10, transfer12, transfer16, write, write6 } from './commands/read-write.js'
import { reportLuns, reportLunsCdb } from './commands/report-luns.js'
import {
  reportSupportedOperationCodes,
  reportSupportedOperationCodesCdb,
} from './commands/report-supported-operation-codes.js'
import { requestSense, requestSenseCdb } from './commands/request-sense.js'
import { startStopReservation, startStopUnit, startStopUnitCdb } from './commands/start-stop-unit.js'
import { synchronizeCache, synchronizeCache10, synchronizeCache16 } from './commands/synchronize-cache.js'
import { testUnitReady, testUnitReadyCdb, testUnitReadyWithoutLu } from './commands/test-unit-ready.js'
import { thirdPartyCopyCommands } from './commands/third-party-copy.js'
import { unitMaintenanceIn, unitMaintenanceOut, unitRows } from './commands/unit-rows.js'
import { verify, verify10, verify12, verify16 } from './commands/verify.js'
import { writesAndVerifies } from './commands/write-and-verify.js'

const onMedium = { needsMedium: true } as const
const offMedium = { needsMedium: false } as const
const alwaysAnswered = { needsMedium: false, ignoresUnitAttention: true, reserved: 'allowed' } as const

/** By operation code; commands that share one are told apart by service action. */
export const commandTable: Readonly<Record<number, TableEntry>> = {
  ...exclusiveWrites,
  ...preFetches,
  ...readsOfDefectData,
  ...writesAndVerifies,
  ...provisioningCommands,
  ...unitRows,
  ...persistentReserveRows,
  0x00: {
    name: 'TEST UNIT READY',
    spec: 'SPC-4 §6.47',
    cdb: testUnitReadyCdb,
    direction: 'none',
    reserved: 'allowed',
    conflictsWithReserve: true,
    ...onMedium,
    run: testUnitReady,
    runWithoutLu: testUnitReadyWithoutLu,
  },
  0x03: {
    name: 'REQUEST SENSE',
    spec: 'SPC-4 §6.39',
    cdb: requestSenseCdb,
    direction: 'in',
    ...alwaysAnswered,
    run: requestSense,
    runWithoutLu: requestSense,
  },
  0x08: {
    name: 'READ(6)',
    spec: 'SBC-2 §5.5',
    cdb: transfer6,
    direction: 'in',
    reserved: 'asRead',
    ...onMedium,
    run: read6,
  },
  0x0a: {
    name: 'WRITE(6)',
    spec: 'SBC-2 §5.24',
    cdb: transfer6,
    direction: 'out',
    reserved: 'asWrite',
    ...onMedium,
    run: write6,
  },
  0x12: {
    name: 'INQUIRY',
    spec: 'SPC-4 §6.6',
    cdb: inquiryCdb,
    direction: 'in',
    ...alwaysAnswered,
    run: inquiry,
    runWithoutLu: inquiry,
  },
  0x1a: {
    name: 'MODE SENSE(6)',
    spec: 'SPC-4 §6.13',
    cdb: modeSense6Cdb,
    direction: 'in',
    reserved: 'asRead',
    ...offMedium,
    run: modeSense6,
  },
  0x1b: {
    name: 'START STOP UNIT',
    spec: 'SBC-3 §5.25',
    cdb: startStopUnitCdb,
    direction: 'none',
    reserved: startStopReservation,
    ...offMedium,
    run: startStopUnit,
  },
  0x25: {
    name: 'READ CAPACITY(10)',
    spec: 'SBC-3 §5.15',
    cdb: readCapacity10Cdb,
    direction: 'in',
    reserved: 'allowed',
    ...onMedium,
    run: readCapacity10,
  },
  0x28: {
    name: 'READ(10)',
    spec: 'SBC-3 §5.11',
    cdb: transfer10,
    direction: 'in',
    reserved: 'asRead',
    ...onMedium,
    run: read(transfer10),
  },
  0x2a: {
    name: 'WRITE(10)',
    spec: 'SBC-3 §5.33',
    cdb: transfer10,
    direction: 'out',
    reserved: 'asWrite',
    ...onMedium,
    run: write(transfer10),
  },
  0x2f: {
    name: 'VERIFY(10)',
    spec: 'SBC-3 §5.29',
    cdb: verify10,
    direction: 'out',
    reserved: 'asRead',
    ...onMedium,
    run: verify(verify10),
  },
  0x35: {
    name: 'SYNCHRONIZE CACHE(10)',
    spec: 'SBC-3 §5.26',
    cdb: synchronizeCache10,
    direction: 'none',
    reserved: 'asWrite',
    ...onMedium,
    run: synchronizeCache(synchronizeCache10),
  },
  0x5a: {
    name: 'MODE SENSE(10)',
    spec: 'SPC-4 §6.14',
    cdb: modeSense10Cdb,
    direction: 'in',
    reserved: 'asRead',
    ...offMedium,
    run: modeSense10,
  },
  ...thirdPartyCopyCommands,
  0x88: {
    name: 'READ(16)',
    spec: 'SBC-3 §5.13',
    cdb: transfer16,
    direction: 'in',
    reserved: 'asRead',
    ...onMedium,
    run: read(transfer16),
  },
  0x8a: {
    name: 'WRITE(16)',
    spec: 'SBC-3 §5.35',
    cdb: transfer16,
    direction: 'out',
    reserved: 'asWrite',
    ...onMedium,
    run: write(transfer16),
  },
  0x8f: {
    name: 'VERIFY(16)',
    spec: 'SBC-3 §5.31',
    cdb: verify16,
    direction: 'out',
    reserved: 'asRead',
    ...onMedium,
    run: verify(verify16),
  },
  0x91: {
    name: 'SYNCHRONIZE CACHE(16)',
    spec: 'SBC-3 §5.27',
    cdb: synchronizeCache16,
    direction: 'none',
    reserved: 'asWrite',
    ...onMedium,
    run: synchronizeCache(synchronizeCache16),
  },
  0x9e: {
    name: 'SERVICE ACTION IN(16)',
    serviceActions: {
      0x10: {
        name: 'READ CAPACITY(16)',
        spec: 'SBC-3 §5.16',
        cdb: readCapacity16Cdb,
        direction: 'in',
        reserved: 'allowed',
        ...onMedium,
        run: readCapacity16,
      },
      0x12: getLbaStatusRow,
    },
  },
  0xa0: {
    name: 'REPORT LUNS',
    spec: 'SPC-4 §6.33',
    cdb: reportLunsCdb,
    direction: 'in',
    ...alwaysAnswered,
    run: reportLuns,
    runWithoutLu: reportLuns,
  },
  0xa3: {
    name: 'MAINTENANCE IN',
    serviceActions: {
      ...unitMaintenanceIn,
      0x0c: {
        name: 'REPORT SUPPORTED OPERATION CODES',
        spec: 'SPC-4 §6.35',
        cdb: reportSupportedOperationCodesCdb,
        direction: 'in',
        reserved: 'asRead',
        ...offMedium,
        run: (cdb, offset, _context, lu) => reportSupportedOperationCodes(commandTable, cdb, offset, lu),
      },
    },
  },
  0xa4: { name: 'MAINTENANCE OUT', serviceActions: unitMaintenanceOut },
  0xa8: {
    name: 'READ(12)',
    spec: 'SBC-3 §5.12',
    cdb: transfer12,
    direction: 'in',
    reserved: 'asRead',
    ...onMedium,
    run: read(transfer12),
  },
  0xaa: {
    name: 'WRITE(12)',
    spec: 'SBC-3 §5.34',
    cdb: transfer12,
    direction: 'out',
    reserved: 'asWrite',
    ...onMedium,
    run: write(transfer12),
  },
  0xaf: {
    name: 'VERIFY(12)',
    spec: 'SBC-3 §5.30',
    cdb: verify12,
    direction: 'out',
    reserved: 'asRead',
    ...onMedium,
    run: verify(verify12),
  },
}
