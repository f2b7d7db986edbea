// The lease that is loaded while the server is killed: its two LUNs, and how they are asked for.

import type { LoadedDisk } from '../disk-operation.js'
import { SECTOR_BYTES, type SectorValue } from '../sector-value.js'
import { IMAGE_SECTORS, initialOf, THIN_WEIGHTS } from './kill-disks.js'

export interface RentedDisk extends LoadedDisk {
  /** At first. */
  readonly sectors: number
  /** Sectors that it may grow to. */
  readonly mostSectors: number
  readonly initial: (sector: number) => SectorValue
  /** As `POST /api/sessions` takes it. */
  readonly wish: object
}

/** By LUN: a blank one, and one on an image of the catalog. */
export const RENTED_DISKS: readonly RentedDisk[] = [
  {
    sectors: 2048,
    mostSectors: 4096,
    windows: [{ first: 0, count: 4096 }],
    weights: THIN_WEIGHTS,
    initial: initialOf({ baseSectors: 0 }),
    wish: { size_bytes: 2048 * SECTOR_BYTES },
  },
  {
    sectors: IMAGE_SECTORS,
    mostSectors: 8192,
    windows: [{ first: 4096, count: 4096 }],
    weights: THIN_WEIGHTS,
    initial: initialOf({ baseSectors: IMAGE_SECTORS }),
    wish: { image: 'base' },
  },
]

/** The LUN of a clone beside the one that is cloned: never written. */
export const BLANK_SECTORS = 64
