/**
 * The targets by name, and of which disks they consist.
 *
 *   PREFIX:blank   free tier: one blank disk
 *   PREFIX:multi   free tier: four blank disks of different sizes
 *   PREFIX:NAME    free tier: an image of the catalog
 *   PREFIX:NAME    the operator's, from the configuration: shared by all who may log in, persistent, without quota
 *   PREFIX:ID      a lease: shared by all who know its secret, persistent; see leases/
 *
 * A free disk is private: each login has its own, which may take `quotaBytes` of writes *per LUN* and is gone with the session.
 */
import type { Config, RedirectConfig, TargetConfig } from '@scsipub/config'
import type { LoginRefusal, LunGrant, VolumeDescriptor, VolumeSpec } from '@scsipub/contract'
import type { Catalog } from './catalog.js'
import { type Credential, credentialOf } from './credential.js'
import type { Image } from './manifest.js'

/** One LUN of a target: its number, 0 to 255, which stays when others go. `product` as INQUIRY tells it, at most 16 ASCII characters. */
export interface Disk {
  readonly lun: number
  readonly product: string
  readonly sizeBytes: number
  readonly basePath?: string
  readonly kind: DiskKind
}

/** What initiators may do with a disk, beside reading it. */
export interface DiskKind {
  readonly blockBytes: number
  /** That of a logical block unless told. */
  readonly physicalBlockBytes?: number
  readonly readOnly: boolean
  readonly removable: boolean
  readonly thin: boolean
}

/** What every disk is that nobody said anything else of. */
const USUAL: DiskKind = { blockBytes: 512, readOnly: false, removable: false, thin: true }

/** `name` is the full iSCSI name. `private`: each session has disks of its own. `disks`: ascending by LUN, not all numbers need be there. */
export interface Target {
  readonly name: string
  readonly private: boolean
  readonly disks: readonly Disk[]
  /** What initiators must prove; anybody may log in without one. */
  readonly credential?: Credential
  /** Logins are sent there. */
  readonly redirect?: RedirectConfig
  /** Id of the lease that it is; its disks are opened by that, and `disks` is empty. */
  readonly lease?: string
  /** Logins are refused with this. */
  readonly refuse?: LoginRefusal
}

/** Leases as targets. */
export interface LeaseTargets {
  /** The lease whose IQN ends so. */
  find(leaf: string): Target | undefined
  /** The lease whose CHAP name that is. */
  ofUser(user: string): Target | undefined
  /** How many there are. */
  readonly count: number
}

const MEBIBYTE = 1024 * 1024
const MULTI_BYTES = [8, 16, 32, 64].map(size => size * MEBIBYTE)
const MAX_PRODUCT_LENGTH = 16

export class TargetDirectory {
  readonly #config: Config
  readonly #catalog: Catalog
  readonly #fixed = new Map<string, Target>()
  readonly #leases: () => LeaseTargets | undefined

  /** `leases`: once they are there. Throws when a configured target wants an image that the catalog does not have, or not in that size. */
  constructor(config: Config, catalog: Catalog, leases: () => LeaseTargets | undefined = () => undefined) {
    this.#config = config
    this.#leases = leases
    this.#catalog = catalog
    const multi = MULTI_BYTES.map((sizeBytes, lun) => ({ lun, product: `MULTI ${lun}`, sizeBytes, kind: USUAL }))
    this.#fixed.set(
      'blank',
      this.#free('blank', [{ lun: 0, product: 'BLANK', sizeBytes: config.free.blankBytes, kind: USUAL }]),
    )
    this.#fixed.set('multi', this.#free('multi', multi))
    for (const target of config.targets) this.#fixed.set(target.name, this.#operators(target))
  }

  /** The target with that iSCSI name in any case [RFC 3722]; undefined when there is none. */
  find(name: string): Target | undefined {
    const lower = name.toLowerCase()
    const prefix = `${this.#config.iqnPrefix}:`
    if (!lower.startsWith(prefix)) return undefined
    const leaf = lower.slice(prefix.length)
    const fixed = this.#fixed.get(leaf)
    const found = fixed ?? this.#leases()?.find(leaf)
    if (found) return found
    const image = this.#catalog.images().get(leaf)
    return image && this.#free(leaf, [imageDisk(image, { lun: 0, sizeBytes: image.sizeBytes, kind: USUAL })])
  }

  /** The lease whose CHAP name that is. */
  ofUser(user: string): Target | undefined {
    return this.#leases()?.ofUser(user)
  }

  /** Whether there are leases. */
  get hasLeases(): boolean {
    return (this.#leases()?.count ?? 0) > 0
  }

  /** All targets but leases, in a steady order. An operator's target hides an image of the same name. */
  all(): Target[] {
    const images = [...this.#catalog.images()].filter(([leaf]) => !this.#fixed.has(leaf))
    const ofImages = images.map(([leaf, image]) =>
      this.#free(leaf, [imageDisk(image, { lun: 0, sizeBytes: image.sizeBytes, kind: USUAL })]),
    )
    return [...this.#fixed.values(), ...ofImages]
  }

  /** Gives an operator's target other disks, for logins from now on; `LunChange` is for who is logged in. */
  setDisks(target: Target, disks: readonly Disk[]): void {
    const leaf = target.name.slice(`${this.#config.iqnPrefix}:`.length)
    this.#fixed.set(leaf, { ...target, disks: disks.toSorted((a, b) => a.lun - b.lun) })
  }

  /** The operator's targets. */
  shared(): Target[] {
    return [...this.#fixed.values()].filter(target => !target.private)
  }

  #free(leaf: string, disks: Disk[]): Target {
    return { name: this.#nameOf(leaf), private: true, disks }
  }

  #operators(target: TargetConfig): Target {
    const credential = credentialOf(target.auth)
    return {
      name: this.#nameOf(target.name),
      private: false,
      disks: operatorDisks(target, this.#catalog.images()),
      ...(credential && { credential }),
      ...(target.redirect && { redirect: target.redirect }),
    }
  }

  #nameOf(leaf: string): string {
    return `${this.#config.iqnPrefix}:${leaf}`
  }
}

/** What to ask of the engine for a disk of the target. Session numbers and LUNs name a private volume, the target's name a shared one. */
export function volumeSpec(target: Target, disk: Disk, session: { id: number; quotaBytes: number }): VolumeSpec {
  const { lun } = disk
  const leaf = target.name.slice(target.name.lastIndexOf(':') + 1)
  return {
    volumeId: target.private ? `session-${session.id}-lun${lun}` : `${leaf}.lun${lun}`,
    persistence: target.private ? 'ephemeral' : 'persistent',
    sizeBytes: disk.sizeBytes,
    blockBytes: disk.kind.blockBytes,
    quotaBytes: target.private ? session.quotaBytes : 0,
    ...(disk.basePath === undefined ? {} : { basePath: disk.basePath }),
  }
}

/** What a session gets of a disk, whose volume the engine has opened. */
export function grantOf({ lun, product, kind }: Disk, volume: VolumeDescriptor): LunGrant {
  const { blockBytes, physicalBlockBytes = blockBytes, readOnly, removable, thin } = kind
  return { lun, product, physicalBlockBytes, readOnly, removable, thin, volume }
}

/** The disk of a lease's LUN. `image` by its name, absent for a blank one. */
export function leaseDisk({ lun, sizeBytes, image }: { lun: number; sizeBytes: number; image?: string }): Disk {
  return { lun, sizeBytes, product: productOf(image ?? 'blank'), kind: USUAL }
}

function operatorDisks({ name, luns }: TargetConfig, images: ReadonlyMap<string, Image>): Disk[] {
  return luns.map(({ image: imageName, sizeBytes, ...told }, lun) => {
    const where = `target "${name}", LUN ${lun}`
    const kind = { ...USUAL, ...told }
    if (imageName === undefined) return { lun, product: productOf(name), sizeBytes: sizeBytes ?? 0, kind }
    const image = images.get(imageName)
    if (!image) throw new Error(`${where}: the catalog has no image "${imageName}"; put it there or take the LUN out`)
    if (sizeBytes !== undefined && sizeBytes < image.sizeBytes) {
      throw new Error(
        `${where}: sizeBytes ${sizeBytes} would cut the image "${imageName}" of ${image.sizeBytes} bytes; give at least that`,
      )
    }
    // What follows the image's end reads as zeros, so its last block can be filled up.
    const whole = Math.ceil(image.sizeBytes / kind.blockBytes) * kind.blockBytes
    return imageDisk(image, { lun, sizeBytes: sizeBytes ?? whole, kind })
  })
}

function imageDisk({ name, path }: Image, disk: Pick<Disk, 'lun' | 'sizeBytes' | 'kind'>): Disk {
  return { ...disk, product: productOf(name), basePath: path }
}

function productOf(name: string): string {
  return name.toUpperCase().slice(0, MAX_PRODUCT_LENGTH)
}
