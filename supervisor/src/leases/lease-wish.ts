/** What somebody wants of a lease, and everything that stands against it, all at once. */
import { MAX_LUN_BYTES, MAX_LUNS } from '@scsipub/config'
import { LeaseError, type LeaseFault } from './lease-error.js'
import type { LeaseLun } from './lease-record.js'
import type { LeaseBase } from './lease-volumes.js'
import { inWords, SECTOR_BYTES } from './sizes.js'

/** A blank disk of a size, or an image, by its name in the catalog or the id of a private one; with a size as well, the image on a larger disk. */
export interface LunWish {
  readonly image?: string
  readonly sizeBytes?: number
}

/** `ttlSeconds`: less than the tier gives. `name`: for its owner, up to 200 characters. */
export interface LeaseWish {
  readonly luns: readonly LunWish[]
  readonly ttlSeconds?: number
  readonly name?: string
}

/** What an account may have: leases at a time, bytes of all their LUNs together, and the time that a lease lasts unused. */
export interface TierLimits {
  readonly maxSessions: number
  readonly maxBytes: number
  readonly ttlSeconds: number
}

export interface LeaseAccount {
  readonly id: string
  readonly limits: TierLimits
}

/** What an account has already. */
export interface Holdings {
  readonly sessions: number
  readonly bytes: number
}

/** An image as a disk stands on it. */
export interface LeaseImage {
  readonly sizeBytes: number
  readonly base: LeaseBase
}

/** A LUN as it is going to be made. */
export type PlannedLun = LeaseLun & { readonly base: LeaseBase }

type FindImage = (name: string) => LeaseImage | undefined

const MAX_NAME_LENGTH = 200

/** The LUNs and the TTL of a lease that is wished for. Throws `LeaseError` with every fault. */
export function planLease(
  wish: LeaseWish,
  { limits, holdings, findImage }: { limits: TierLimits; holdings: Holdings; findImage: FindImage },
): { readonly luns: readonly PlannedLun[]; readonly ttlMs: number } {
  const faults: LeaseFault[] = []
  const ttlSeconds = wish.ttlSeconds ?? limits.ttlSeconds
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > limits.ttlSeconds)
    faults.push({
      code: 'ttl-invalid',
      path: 'ttlSeconds',
      why: `must be a whole number from 1 to ${limits.ttlSeconds}, the seconds of your tier`,
    })
  if (wish.name !== undefined) planName(wish.name, faults)
  if (wish.luns.length === 0) faults.push({ code: 'luns-missing', path: 'luns', why: 'must have at least one LUN' })
  if (wish.luns.length > MAX_LUNS)
    faults.push({ code: 'too-many-luns', path: 'luns', why: `must have at most ${MAX_LUNS} LUNs` })
  if (holdings.sessions + 1 > limits.maxSessions)
    faults.push({
      code: 'quota-exceeded',
      why: `your tier has ${limits.maxSessions} sessions, and all are taken; remove one`,
    })
  const luns = wish.luns.slice(0, MAX_LUNS).map((lun, index) => plan(lun, index, `luns[${index}]`, findImage, faults))
  checkBytes(luns, holdings, limits, faults)
  throwIfAny(faults)
  return { luns: luns.filter(lun => lun !== undefined), ttlMs: ttlSeconds * 1000 }
}

/** A LUN that is added to those a lease has, at the lowest number that is free. Throws `LeaseError` with every fault. */
export function planLun(
  wish: LunWish,
  {
    limits,
    holdings,
    findImage,
    luns,
  }: { limits: TierLimits; holdings: Holdings; findImage: FindImage; luns: readonly LeaseLun[] },
): PlannedLun {
  const faults: LeaseFault[] = []
  const taken = new Set(luns.map(({ lun }) => lun))
  let lun = 0
  while (taken.has(lun)) lun++
  if (lun >= MAX_LUNS) faults.push({ code: 'too-many-luns', why: `the session has ${MAX_LUNS} LUNs; remove one` })
  const planned = plan(wish, lun, undefined, findImage, faults)
  checkBytes([planned], holdings, limits, faults)
  throwIfAny(faults)
  if (!planned) throw new Error('a LUN without faults has a plan')
  return planned
}

/** Checks that an account may have so many bytes more. Throws `LeaseError`. */
export function checkRoom(sizeBytes: number, { limits, holdings }: { limits: TierLimits; holdings: Holdings }): void {
  const faults: LeaseFault[] = []
  checkBytes([{ sizeBytes }], holdings, limits, faults)
  throwIfAny(faults)
}

/** Checks that a name may be given. Throws `LeaseError`. */
export function checkName(name: string): void {
  const faults: LeaseFault[] = []
  planName(name, faults)
  throwIfAny(faults)
}

/** Checks that a LUN may grow to a size. Throws `LeaseError`. */
export function checkGrowth(
  lun: LeaseLun,
  sizeBytes: number,
  { limits, holdings }: { limits: TierLimits; holdings: Holdings },
): void {
  const faults: LeaseFault[] = []
  if (!isSize(sizeBytes)) faults.push(wrongSize('sizeBytes'))
  else if (sizeBytes < lun.sizeBytes)
    faults.push({
      code: 'size-invalid',
      path: 'sizeBytes',
      why: `must not be less than now, ${lun.sizeBytes}: a disk cannot shrink without losing what is at its end`,
    })
  else checkBytes([{ sizeBytes: sizeBytes - lun.sizeBytes }], holdings, limits, faults)
  throwIfAny(faults)
}

function plan(
  wish: LunWish,
  lun: number,
  path: string | undefined,
  findImage: FindImage,
  faults: LeaseFault[],
): PlannedLun | undefined {
  const at = (key: string) => (path === undefined ? key : `${path}.${key}`)
  const { image: name, sizeBytes } = wish
  if (sizeBytes !== undefined && !isSize(sizeBytes)) {
    faults.push(wrongSize(at('sizeBytes')))
    return undefined
  }
  if (name === undefined) {
    if (sizeBytes !== undefined) return { lun, sizeBytes, base: {} }
    faults.push({
      code: 'size-invalid',
      ...(path !== undefined && { path }),
      why: 'must have "image", "sizeBytes", or both',
    })
    return undefined
  }
  const image = findImage(name)
  if (!image) {
    faults.push({
      code: 'image-unknown',
      path: at('image'),
      why: `there is no image ${JSON.stringify(name)}; see the catalog`,
    })
    return undefined
  }
  if (sizeBytes === undefined || sizeBytes >= image.sizeBytes)
    return { lun, sizeBytes: sizeBytes ?? image.sizeBytes, image: name, base: image.base }
  faults.push({
    code: 'size-invalid',
    path: at('sizeBytes'),
    why: `must not be less than the image's ${image.sizeBytes} bytes`,
  })
  return undefined
}

function checkBytes(
  luns: readonly ({ readonly sizeBytes: number } | undefined)[],
  holdings: Holdings,
  { maxBytes }: TierLimits,
  faults: LeaseFault[],
): void {
  const wanted = luns.reduce((sum, lun) => sum + (lun?.sizeBytes ?? 0), 0)
  if (wanted === 0 || holdings.bytes + wanted <= maxBytes) return
  const why = `your tier has ${inWords(maxBytes)}, of which ${inWords(holdings.bytes)} are taken; ${inWords(wanted)} more do not fit`
  faults.push({ code: 'quota-exceeded', why })
}

function isSize(sizeBytes: number): boolean {
  return sizeBytes >= SECTOR_BYTES && sizeBytes <= MAX_LUN_BYTES && sizeBytes % SECTOR_BYTES === 0
}

function wrongSize(path: string): LeaseFault {
  return {
    code: 'size-invalid',
    path,
    why: `must be a number of bytes from ${SECTOR_BYTES} to ${MAX_LUN_BYTES}, a multiple of ${SECTOR_BYTES}`,
  }
}

function planName(name: string, faults: LeaseFault[]): void {
  if (name.length <= MAX_NAME_LENGTH && isPlain(name)) return
  const why = `must have at most ${MAX_NAME_LENGTH} characters, and no control characters`
  faults.push({ code: 'name-invalid', path: 'name', why })
}

function isPlain(text: string): boolean {
  return !/[\p{Cc}\p{Cs}]/u.test(text)
}

function throwIfAny(faults: readonly LeaseFault[]): void {
  const [first, ...others] = faults
  if (first) throw new LeaseError([first, ...others])
}
