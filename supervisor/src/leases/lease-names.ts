/**
 * How leases and their volumes are called. One random word is the id of a lease, the end of its IQN, and its CHAP name, so one look-up finds it by any
 * of them:
 *
 *   iqn.2025-01.pub.scsipub:mfrggzdfmztwq2lknnwg23tpob      the IQN: 26 characters, 130 bits; those of RFC 3722 in lower case
 *   lease_mfrggzdfmztwq2lknnwg23tpob.lun0                   a volume; `_` is in no name of a configuration, so it is never an operator's
 */
import { randomBytes } from 'node:crypto'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
const ID_LENGTH = 26
/** Windows takes 12 to 16 characters; sixteen of six bits each are the 96 bits that RFC 7143 asks for [7143 §9.2.1]. */
const SECRET_BYTES = 12
const LEASE_ID = /^[a-z2-7]{26}$/
const VOLUME_ID = /^lease_([a-z2-7]{26})\.lun([0-9]{1,3})$/

/** A new id that nobody can guess. */
export function newLeaseId(): string {
  return [...randomBytes(ID_LENGTH)].map(byte => ALPHABET[byte % ALPHABET.length]).join('')
}

/** A new CHAP secret: 16 printable characters, 96 bits. */
export function newChapSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url')
}

/** Whether the end of an IQN is one that leases have. */
export function isLeaseId(leaf: string): boolean {
  return LEASE_ID.test(leaf)
}

/** The volume of a LUN of a lease. */
export function leaseVolumeId(leaseId: string, lun: number): string {
  return `lease_${leaseId}.lun${lun}`
}

/** What volume that is; undefined when it is none of a lease. */
export function volumeOfLease(volumeId: string): { readonly leaseId: string; readonly lun: number } | undefined {
  const [, leaseId, lun] = VOLUME_ID.exec(volumeId) ?? []
  return leaseId === undefined || lun === undefined ? undefined : { leaseId, lun: Number(lun) }
}
