// What there has to be of leases and private images after the server was killed: what was made and answered is there with its credentials and sizes, what was
// removed and answered is not, anything else is whole or gone; and no file is left that none of them has.
//
// They are known by the names that they are asked for with, since nobody knows the id of what was not answered.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DiskLedger } from '../disk-ledger.js'
import { SECTOR_BYTES } from '../sector-value.js'
import type { SnapshotLedger } from '../snapshot-ledger.js'
import { BLANK_SECTORS, RENTED_DISKS } from './rented-disks.js'
import type { ImageAnswer, LeaseAnswer } from './tenant.js'

/** The lease that is loaded. */
export const MAIN = 'main'

export interface RentedLease {
  /** The image that its LUN 0 began as; undefined for the main one. */
  readonly image: string | undefined
  /** As it was told when it was made, or found. */
  told?: LeaseAnswer | undefined
  /** Its making was answered, and its removal has not been asked for. */
  certain: boolean
}

export interface RentedImage {
  /** Of an image of a clone, which nobody writes to, that of the image below. */
  readonly ledger: SnapshotLedger
  id?: string | undefined
  /** As of a lease. */
  certain: boolean
}

/** What the server says that the account has. */
export interface Holdings {
  readonly leases: readonly LeaseAnswer[]
  readonly images: readonly ImageAnswer[]
}

export class RentedLedger {
  readonly leases = new Map<string, RentedLease>()
  readonly images = new Map<string, RentedImage>()
  /** Of the LUNs of the main lease. */
  disks: readonly DiskLedger[] = newDisks()

  /** The main lease is made anew. */
  renew(): void {
    this.disks = newDisks()
  }

  /** What is wrong with what the account has, and with the files in the data directory. Some of it may be about to change soon after a start. */
  faults({ leases, images }: Holdings, dataDir: string): string[] {
    return [
      ...leases.flatMap(lease => this.#faultsOf(lease)),
      ...this.#missing(leases, images),
      ...images
        .filter(({ title }) => !this.images.has(title))
        .map(({ title }) => `the image ${title} is there, and nobody has it`),
      ...images
        .filter(({ title, image }) => (this.images.get(title)?.id ?? image) !== image)
        .map(({ title }) => `the image ${title} has another id`),
      ...strayFiles({ leases, images }, dataDir),
    ]
  }

  /** Goes on from what was found, which has no faults. */
  settle({ leases, images }: Holdings): void {
    for (const [name, lease] of this.leases) {
      lease.told = leases.find(found => found.name === name)
      lease.certain = true
      if (!lease.told) this.leases.delete(name)
    }
    for (const [name, image] of this.images) {
      image.id = images.find(found => found.title === name)?.image
      if (image.id === undefined) this.images.delete(name)
      else image.certain = true
      image.ledger.close()
    }
  }

  #faultsOf(found: LeaseAnswer): string[] {
    const { name = '' } = found
    const known = this.leases.get(name)
    if (!known) return [`the lease ${name} is there, and nobody has it`]
    const faults: string[] = []
    if (found.refused !== undefined) faults.push(`is refused: ${found.refused}`)
    if (found.state !== 'suspended') faults.push(`is ${found.state}`)
    for (const field of ['id', 'iqn', 'chap_user', 'chap_secret'] as const)
      if ((known.told ?? found)[field] !== found[field]) faults.push(`has another ${field}`)
    const sizes = known.image === undefined ? undefined : this.images.get(known.image)?.ledger.sizes
    const wanted = known.image === undefined ? this.disks.map(disk => disk.sizes) : [sizes, [BLANK_SECTORS]]
    const right = wanted.every((sizes, lun) => {
      const size = found.luns.find(each => each.lun === lun)?.size_bytes
      return size !== undefined && (!sizes || sizes.includes(size / SECTOR_BYTES))
    })
    if (!right || found.luns.length !== wanted.length)
      faults.push(`has ${JSON.stringify(found.luns)} instead of sectors ${JSON.stringify(wanted)}`)
    return faults.map(fault => `the lease ${name} ${fault}`)
  }

  #missing(leases: Holdings['leases'], images: Holdings['images']): string[] {
    const lost = [...this.leases].filter(([name, { certain }]) => certain && !leases.some(found => found.name === name))
    const lostImages = [...this.images].filter(
      ([name, { certain }]) => certain && !images.some(({ title }) => title === name),
    )
    return [
      ...lost.map(([name]) => `the lease ${name} is gone`),
      ...lostImages.map(([name]) => `the image ${name} is gone`),
    ]
  }
}

function newDisks(): DiskLedger[] {
  return RENTED_DISKS.map(disk => new DiskLedger(disk))
}

/** Files of leases and images in the data directory that none of these has, and what these lack. */
function strayFiles({ leases, images }: Holdings, dataDir: string): string[] {
  const names = (folder: string) => readdirSync(join(dataDir, folder))
  const volumes = leases.flatMap(({ id, luns }) => luns.map(({ lun }) => `lease_${id}.lun${lun}`))
  const snapshots = images.map(({ image }) => image)
  const ids = leases.map(({ id }) => id)
  const stray = [
    ...names('volumes').filter(name => /^\.|^lease_/.test(name) && !volumes.includes(name)),
    ...names('snapshots').filter(name => !snapshots.includes(name)),
    ...names('leases').filter(
      name => name !== 'node' && !ids.some(id => new RegExp(`^${id}\\.\\d+\\.json$`).test(name)),
    ),
  ].map(name => `the file ${name} has been left over`)
  const copies = ids.filter(id => names('leases').filter(name => name.startsWith(id)).length !== 1)
  return [...stray, ...copies.map(id => `there is not one copy of the record of lease ${id}`)]
}
