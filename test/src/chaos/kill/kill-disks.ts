// The LUNs of the server that is killed, and what is done to them.

import type { LoadedDisk, OperationName } from '../disk-operation.js'
import { BASE_TAG, dataOf, type SectorValue } from '../sector-value.js'
import { ADMIN_TOKEN } from './tenant.js'

export interface KillDisk extends LoadedDisk {
  readonly sectors: number
  /** Length of the image below; 0: none. */
  readonly baseSectors: number
  /** Blocks can be given back, and GET LBA STATUS tells which are. */
  readonly thin: boolean
}

const WEIGHTS: Readonly<Partial<Record<OperationName, number>>> = {
  write: 40,
  writeFua: 6,
  writeAtomic: 6,
  compareAndWrite: 6,
  miscompare: 1,
  orWrite: 5,
  writeSame: 4,
  writeZeros: 3,
  flush: 4,
}
export const THIN_WEIGHTS = { ...WEIGHTS, unmap: 8, anchor: 3, unmapSame: 3 }
export const IMAGE_SECTORS = 6001

/** By LUN. */
export const KILL_DISKS: readonly KillDisk[] = [
  { sectors: 8192, baseSectors: 0, thin: true, windows: [{ first: 0, count: 8192 }], weights: THIN_WEIGHTS },
  {
    sectors: IMAGE_SECTORS,
    baseSectors: IMAGE_SECTORS,
    thin: true,
    windows: [{ first: 0, count: IMAGE_SECTORS }],
    weights: THIN_WEIGHTS,
  },
  { sectors: 4096, baseSectors: 0, thin: false, windows: [{ first: 0, count: 4096 }], weights: WEIGHTS },
]

/** The LUN behind them, whose registrations and reservation are changed. */
export const FENCE_LUN = KILL_DISKS.length
const FENCE_SECTORS = 128

export const TARGET = 'kept'

/** The configuration of the server, less its folder and its address. */
export const KILL_CONFIG = {
  workers: 2,
  admin: { token: ADMIN_TOKEN },
  targets: [
    {
      name: TARGET,
      auth: 'none',
      luns: [
        ...KILL_DISKS.map(({ sectors, baseSectors, thin }) => ({
          ...(baseSectors > 0 ? { image: 'base' } : { sizeBytes: sectors * 512 }),
          ...(!thin && { thin }),
        })),
        { sizeBytes: FENCE_SECTORS * 512 },
      ],
    },
  ],
}

export function imageContent(): Buffer {
  return dataOf(BASE_TAG, 0, IMAGE_SECTORS)
}

/** What a sector of the disk holds that nobody has written. */
export function initialOf({ baseSectors }: Pick<KillDisk, 'baseSectors'>): (sector: number) => SectorValue {
  return sector => (sector < baseSectors ? { kind: 'data', tag: BASE_TAG } : { kind: 'absent' })
}
