// The disks that the storage engine has in a life, and what is done to them.

import type { VolumeSpec } from '@scsipub/contract'
import type { LoadedDisk, OperationName } from '../disk-operation.js'
import { BASE_TAG, SECTOR_BYTES, type SectorValue } from '../sector-value.js'

export interface PowerDisk extends LoadedDisk {
  readonly id: string
  /** At first. */
  readonly sectors: number
  /** Sectors that it may grow to. */
  readonly mostSectors: number
  /** Length of its base image; 0: none. */
  readonly baseSectors: number
  readonly quotaSectors: number
  /** Reservations are changed on it. */
  readonly reserved: boolean
  /** Snapshots are taken of it. */
  readonly frozen: boolean
}

const WEIGHTS: Readonly<Partial<Record<OperationName, number>>> = {
  write: 40,
  writeFua: 8,
  writeAtomic: 10,
  compareAndWrite: 6,
  miscompare: 1,
  orWrite: 5,
  unmap: 7,
  anchor: 3,
  writeSame: 4,
  writeZeros: 3,
  unmapSame: 3,
  flush: 10,
}
const usual = { baseSectors: 0, quotaSectors: 0, mostSectors: 0, reserved: false, frozen: false, weights: WEIGHTS }

/**
 * A disk that grows over the end of its first bitmap page, one over a base that is shorter than it, one whose quota is used up at times, one with
 * snapshots and one with reservations.
 */
export const POWER_DISKS: readonly PowerDisk[] = [
  {
    ...usual,
    id: 'pages',
    sectors: 32768 - 200,
    mostSectors: 40960,
    windows: [
      { first: 0, count: 1024 },
      { first: 32768 - 512, count: 1024 },
    ],
  },
  {
    ...usual,
    id: 'image',
    sectors: 4096,
    mostSectors: 6144,
    baseSectors: 3001,
    windows: [{ first: 2048, count: 4096 }],
  },
  {
    ...usual,
    id: 'quota',
    sectors: 2048,
    quotaSectors: 1280,
    windows: [{ first: 0, count: 2048 }],
    weights: { ...WEIGHTS, sanitize: 1 },
  },
  { ...usual, id: 'layers', sectors: 2048, mostSectors: 3072, windows: [{ first: 0, count: 3072 }], frozen: true },
  { ...usual, id: 'fence', sectors: 128, windows: [{ first: 0, count: 128 }], reserved: true },
]

/** Disks that are written to, the first ones of all; a reservation would keep the load away. */
export const LOADED_DISKS: readonly PowerDisk[] = POWER_DISKS.filter(({ reserved }) => !reserved)

const persistent = { persistence: 'persistent', blockBytes: SECTOR_BYTES, quotaBytes: 0 } as const

export function specOf({ id, sectors, baseSectors, quotaSectors }: PowerDisk, basePath: string): VolumeSpec {
  return {
    ...persistent,
    volumeId: id,
    sizeBytes: sectors * SECTOR_BYTES,
    quotaBytes: quotaSectors * SECTOR_BYTES,
    ...(baseSectors > 0 && { basePath }),
  }
}

/** A disk that is made in a life and may be removed again: blank, or a clone of a snapshot. */
export function specOfPassing(volumeId: string, sectors: number, baseSnapshot?: string): VolumeSpec {
  const sizeBytes = sectors * SECTOR_BYTES
  return { ...persistent, volumeId, sizeBytes, ...(baseSnapshot !== undefined && { baseSnapshot }) }
}

/** A disk on a snapshot, to look at it: gone when it is closed. */
export function specOfLook({ snapshotId, sizeBytes }: { snapshotId: string; sizeBytes: number }): VolumeSpec {
  return {
    ...persistent,
    volumeId: `look-${snapshotId}`,
    persistence: 'ephemeral',
    sizeBytes,
    baseSnapshot: snapshotId,
  }
}

/** What a sector of the disk holds that nobody has written. */
export function initialOf({ baseSectors }: PowerDisk): (sector: number) => SectorValue {
  return sector => (sector < baseSectors ? { kind: 'data', tag: BASE_TAG } : { kind: 'absent' })
}
