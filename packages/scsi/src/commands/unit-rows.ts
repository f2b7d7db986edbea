// Rows of the command table for what nexuses of a unit share: mode parameters, reservations, the medium, ports, task management.

import type { Command } from '../command.js'
import { logSense, logSenseCdb } from './log-sense.js'
import { modeSelect6, modeSelect6Cdb, modeSelect10, modeSelect10Cdb } from './mode-select.js'
import { preventAllow, preventAllowCdb, preventAllowReservation } from './prevent-allow.js'
import { reportSupportedTmf, reportSupportedTmfCdb } from './report-supported-tmf.js'
import { release, reserve, reserveRelease6Cdb, reserveRelease10Cdb } from './reserve-release.js'
import {
  reportTargetPortGroups,
  reportTargetPortGroupsCdb,
  setTargetPortGroups,
  setTargetPortGroupsCdb,
} from './target-port-groups.js'

const offMedium = { needsMedium: false } as const

/** A persistent reservation of another keeps RESERVE out; RELEASE is let through, and has no effect for a nexus that holds nothing [SPC-2 §5.5.1]. */
const reserveRow = { direction: 'none', reserved: 'conflict', ...offMedium, run: reserve } as const
const releaseRow = { direction: 'none', reserved: 'allowed', ...offMedium, run: release } as const

/** By operation code. */
export const unitRows = {
  0x15: {
    name: 'MODE SELECT(6)',
    spec: 'SPC-4 §6.11',
    cdb: modeSelect6Cdb,
    direction: 'out',
    reserved: 'asWrite',
    ...offMedium,
    run: modeSelect6,
  },
  0x16: { name: 'RESERVE(6)', spec: 'SPC-2 §7.21', cdb: reserveRelease6Cdb, ...reserveRow },
  0x17: { name: 'RELEASE(6)', spec: 'SPC-2 §7.16', cdb: reserveRelease6Cdb, ...releaseRow },
  0x1e: {
    name: 'PREVENT ALLOW MEDIUM REMOVAL',
    spec: 'SBC-3 §5.10',
    cdb: preventAllowCdb,
    direction: 'none',
    reserved: preventAllowReservation,
    ...offMedium,
    run: preventAllow,
  },
  0x4d: {
    name: 'LOG SENSE',
    spec: 'SPC-4 §6.8',
    cdb: logSenseCdb,
    direction: 'in',
    reserved: 'allowed',
    ...offMedium,
    run: logSense,
  },
  0x55: {
    name: 'MODE SELECT(10)',
    spec: 'SPC-4 §6.12',
    cdb: modeSelect10Cdb,
    direction: 'out',
    reserved: 'asWrite',
    ...offMedium,
    run: modeSelect10,
  },
  0x56: { name: 'RESERVE(10)', spec: 'SPC-2 §7.22', cdb: reserveRelease10Cdb, ...reserveRow },
  0x57: { name: 'RELEASE(10)', spec: 'SPC-2 §7.17', cdb: reserveRelease10Cdb, ...releaseRow },
} as const satisfies Readonly<Record<number, Command>>

/** Service actions of MAINTENANCE IN (A3h). */
export const unitMaintenanceIn = {
  0x0a: {
    name: 'REPORT TARGET PORT GROUPS',
    spec: 'SPC-4 §6.37',
    cdb: reportTargetPortGroupsCdb,
    direction: 'in',
    reserved: 'allowed',
    ...offMedium,
    run: reportTargetPortGroups,
  },
  0x0d: {
    name: 'REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS',
    spec: 'SPC-4 §6.36',
    cdb: reportSupportedTmfCdb,
    direction: 'in',
    reserved: 'asRead',
    ...offMedium,
    run: reportSupportedTmf,
  },
} as const satisfies Readonly<Record<number, Command>>

/** Service actions of MAINTENANCE OUT (A4h). */
export const unitMaintenanceOut = {
  0x0a: {
    name: 'SET TARGET PORT GROUPS',
    spec: 'SPC-4 §6.45',
    cdb: setTargetPortGroupsCdb,
    direction: 'out',
    reserved: 'asWrite',
    ...offMedium,
    run: setTargetPortGroups,
  },
} as const satisfies Readonly<Record<number, Command>>
