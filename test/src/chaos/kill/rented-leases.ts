// A paid lease beside the operator's target, as its owner has it: made over HTTP, loaded over its own sessions with CHAP, meanwhile grown, frozen and cloned;
// clones and images come and go. After a start all of it is looked at.

import { setTimeout } from 'node:timers/promises'
import { Initiator } from '@scsipub/testkit'
import type { Dice } from '../dice.js'
import type { DiskOperation } from '../disk-operation.js'
import { SECTOR_BYTES } from '../sector-value.js'
import { SnapshotLedger } from '../snapshot-ledger.js'
import { readAll, readStatuses, ready } from './found-state.js'
import { BLANK_SECTORS, RENTED_DISKS } from './rented-disks.js'
import { type Holdings, MAIN, type RentedImage, type RentedLease, RentedLedger } from './rented-ledger.js'
import type { ServerPorts } from './server-process.js'
import { type LeaseAnswer, Tenant } from './tenant.js'
import { GROWN } from './wire-operations.js'

const MOST_CLONES = 2
const MOST_IMAGES = 3
const MOST_GROWTH = 300
/** So often the main lease is removed when a load begins: its images are for removal then, too. */
const RENEWED = 0.2
const CHANGES = { grow: 3, freeze: 3, clone: 4, remove: 3, drop: 3 } as const
/** What was interrupted is finished after the server is ready. */
const FINISHED_MS = 60_000
const IN_USE = { status: 409, code: 'image-in-use' } as const

export class RentedLeases {
  readonly #dataDir: string
  readonly #ledger = new RentedLedger()
  /** That were answered. */
  changes = 0
  #waiting: { readonly at: number; readonly resolve: () => void }[] = []
  #tenant: Tenant | undefined
  #names = 0
  /** So that zeros of the main lease may be of either state. */
  #wasFrozen = false
  #found: { holdings: Holdings; main: readonly Buffer[]; images: ReadonlyMap<string, Buffer> } | undefined

  constructor(dataDir: string) {
    this.#dataDir = dataDir
  }

  /** Ledgers of the LUNs of the main lease. */
  get disks(): RentedLedger['disks'] {
    return this.#ledger.disks
  }

  /** Resolves when so many more changes have been answered. */
  answers(count: number): Promise<void> {
    return new Promise(resolve => this.#waiting.push({ at: this.changes + count, resolve }))
  }

  /** An operation of the load begins on a LUN of the main lease. */
  begin(lun: number, operation: DiskOperation): void {
    this.disks[lun]!.begin(operation)
    for (const { ledger } of this.#ledger.images.values()) ledger.written(String(lun), operation)
  }

  /** Logs in to the main lease, which is made if there is none; and at times another one in its place. */
  async logIn(ports: ServerPorts, dice: Dice): Promise<Initiator> {
    const api = apiOf(ports)
    this.#tenant ??= await Tenant.make(api)
    const { leases } = this.#ledger
    if (leases.has(MAIN) && dice.chance(RENEWED)) await this.#remove(api, MAIN)
    const main = leases.get(MAIN)?.told ?? (await this.#makeMain(api))
    return logInTo(ports, main)
  }

  /** Changes one thing after the other until the server is gone. `takeId`: as of operations. */
  async change(ports: ServerPorts, dice: Dice, takeId: () => number): Promise<void> {
    const api = apiOf(ports)
    for (;;) {
      await setTimeout(dice.below(20))
      const name = dice.weighted<keyof typeof CHANGES>(CHANGES)
      if (name === 'grow') await this.#grow(api, dice.below(RENTED_DISKS.length), dice.between(1, MOST_GROWTH))
      else if (name === 'freeze') await this.#freeze(api, dice, takeId())
      else if (name === 'clone') await this.#clone(api, dice)
      else if (name === 'drop') await this.#drop(api, dice)
      else {
        const clones = [...this.#ledger.leases.keys()].filter(lease => lease !== MAIN)
        if (clones.length > 0) await this.#remove(api, dice.pick(clones))
      }
    }
  }

  /** Reads everything and holds it against what was asked and answered. */
  async look(ports: ServerPorts): Promise<string[]> {
    this.#found = undefined
    const tenant = this.#tenant
    if (!tenant) return []
    const api = apiOf(ports)
    const { holdings, faults } = await this.#holdings(tenant, api)
    if (faults.length > 0) return faults
    const main: Buffer[] = []
    const images = new Map<string, Buffer>()
    for (const lease of holdings.leases) {
      const known = this.#ledger.leases.get(lease.name!)!
      const initiator = await logInTo(ports, lease)
      const told =
        known.image === undefined
          ? await this.#lookAtMain(initiator, main)
          : await this.#lookAtClone(initiator, known.image, images)
      faults.push(...told.map(fault => `lease ${lease.name}, ${fault}`))
      await initiator.close()
    }
    this.#found = { holdings, main, images }
    return faults
  }

  /** Goes on from what `look` has found, which has no faults. A growth that was not answered is asked for again. */
  async settle(ports: ServerPorts): Promise<void> {
    if (!this.#found) return
    const { holdings, main, images } = this.#found
    this.#ledger.settle(holdings)
    for (const [name, content] of images) this.#ledger.images.get(name)?.ledger.settle(content)
    for (const [lun, content] of main.entries()) {
      const disk = this.disks[lun]!
      const sectors = Math.max(...disk.sizes)
      disk.settle('kill', { content })
      if (sectors > disk.sectors) await this.#grow(apiOf(ports), lun, sectors - disk.sectors)
    }
  }

  async #holdings(tenant: Tenant, api: string): Promise<{ holdings: Holdings; faults: string[] }> {
    for (const end = performance.now() + FINISHED_MS; ; ) {
      const holdings = { leases: await tenant.sessions(api), images: await tenant.images(api) }
      const faults = this.#ledger.faults(holdings, this.#dataDir)
      if (faults.length === 0 || performance.now() > end) return { holdings, faults }
      await setTimeout(20)
    }
  }

  async #lookAtMain(initiator: Initiator, contents: Buffer[]): Promise<string[]> {
    const faults: string[] = []
    for (const [lun, disk] of this.disks.entries()) {
      const content = await readGrowing(initiator, lun)
      contents.push(content)
      const told = disk.faults('kill', { content })
      if (!this.#wasFrozen)
        told.push(...disk.statusFaults(await readStatuses(initiator, lun, content.length / SECTOR_BYTES)))
      faults.push(...told.map(fault => `LUN ${lun}: ${fault}`))
    }
    return faults
  }

  async #lookAtClone(initiator: Initiator, name: string, contents: Map<string, Buffer>): Promise<string[]> {
    const content = await readAll(initiator, 0)
    const other = contents.get(name)
    contents.set(name, content)
    const faults = this.#ledger.images.get(name)?.ledger.faults({ content }) ?? ['its image is not known']
    if (other && !other.equals(content)) faults.push('differs from another clone')
    const blank = await readAll(initiator, 1)
    if (blank.length !== BLANK_SECTORS * SECTOR_BYTES || blank.some(byte => byte !== 0))
      faults.push('LUN 1 is not blank')
    return faults
  }

  async #makeMain(api: string): Promise<LeaseAnswer> {
    this.#ledger.renew()
    this.#wasFrozen = false
    const luns = RENTED_DISKS.map(({ wish }) => wish)
    return this.#make(api, MAIN, undefined, luns)
  }

  async #make(api: string, name: string, image: string | undefined, luns: readonly object[]): Promise<LeaseAnswer> {
    const lease: RentedLease = { image, certain: false }
    this.#ledger.leases.set(name, lease)
    lease.told = await this.#ask<LeaseAnswer>(api, 'POST /api/sessions', 201, { name, luns })
    lease.certain = true
    return lease.told
  }

  async #grow(api: string, lun: number, by: number): Promise<void> {
    const disk = this.disks[lun]!
    const sectors = Math.min(RENTED_DISKS[lun]!.mostSectors, disk.sectors + by)
    const main = this.#ledger.leases.get(MAIN)!.told!
    disk.beginGrowth(sectors)
    await this.#ask(api, `PATCH /api/sessions/${main.id}/luns/${lun}`, 200, { size_bytes: sectors * SECTOR_BYTES })
    disk.endGrowth(true)
  }

  /** Of a LUN of the main lease, or of a clone. */
  async #freeze(api: string, dice: Dice, id: number): Promise<void> {
    const { images, leases } = this.#ledger
    if (images.size === MOST_IMAGES) return
    const name = `image ${this.#names++}`
    const [holder, { image: below, told }] = dice.pick([...leases])
    const path = `POST /api/sessions/${told!.id}/snapshot`
    if (holder !== MAIN) {
      const image: RentedImage = { ledger: images.get(below!)!.ledger, certain: false }
      images.set(name, image)
      image.id = (await this.#ask<{ id: string }>(api, path, 201, { name, lun: 0 })).id
      image.certain = true
      return
    }
    const lun = dice.below(RENTED_DISKS.length)
    const disk = this.disks[lun]!
    this.#wasFrozen = true
    const flush: DiskOperation = { id, name: 'flush', disk: lun, first: 0, count: 0 }
    disk.begin(flush)
    // What was answered by now is in it; of what is answered between its moment and its own answer, which comes by another connection, nobody knows.
    const allowed = disk.copy()
    allowed.end(id, true)
    const image: RentedImage = { ledger: new SnapshotLedger(String(lun), allowed, undefined), certain: false }
    images.set(name, image)
    image.id = (await this.#ask<{ id: string }>(api, path, 201, { name, lun })).id
    disk.end(id, true)
    image.certain = true
    image.ledger.close()
  }

  async #clone(api: string, dice: Dice): Promise<void> {
    const { images, leases } = this.#ledger
    if (images.size === 0 || leases.size > MOST_CLONES) return
    const [image, { id }] = dice.pick([...images])
    await this.#make(api, `clone ${this.#names++}`, image, [
      { image: id },
      { size_bytes: BLANK_SECTORS * SECTOR_BYTES },
    ])
  }

  async #remove(api: string, name: string): Promise<void> {
    const { leases } = this.#ledger
    const lease = leases.get(name)!
    lease.certain = false
    await this.#ask(api, `DELETE /api/sessions/${lease.told!.id}`, 204)
    leases.delete(name)
  }

  /** Removes an image; is refused where a clone stands on it, or the disk itself or a later image does. */
  async #drop(api: string, dice: Dice): Promise<void> {
    const { images } = this.#ledger
    if (images.size === 0) return
    const [name, image] = dice.pick([...images])
    image.certain = false
    if (await this.#tenant!.may(api, `DELETE /api/images/${image.id}`, 204, IN_USE)) images.delete(name)
    else image.certain = true
    this.#answered()
  }

  async #ask<T>(api: string, what: string, status: number, body?: object): Promise<T> {
    const answer = await this.#tenant!.ask<T>(api, what, status, body)
    this.#answered()
    return answer
  }

  #answered(): void {
    this.changes++
    const due = this.#waiting.filter(({ at }) => this.changes >= at)
    this.#waiting = this.#waiting.filter(({ at }) => this.changes < at)
    for (const { resolve } of due) resolve()
  }
}

const apiOf = ({ http }: ServerPorts) => `http://127.0.0.1:${http}`

async function logInTo(ports: ServerPorts, lease: LeaseAnswer): Promise<Initiator> {
  const initiator = await Initiator.login(
    { host: '127.0.0.1', port: ports.iscsi },
    { target: lease.iqn, chap: { user: lease.chap_user, secret: lease.chap_secret } },
  )
  for (const { lun } of lease.luns) await ready(initiator, lun)
  return initiator
}

/** All sectors of a LUN whose growth may be finished just now. */
async function readGrowing(initiator: Initiator, lun: number): Promise<Buffer> {
  try {
    return await readAll(initiator, lun)
  } catch (error) {
    if (!(error as Error).message.includes(GROWN)) throw error
    return readAll(initiator, lun)
  }
}
