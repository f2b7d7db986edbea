/**
 * What is kept of a lease: its record in the state store, and the same in the ledger of the node that has its volumes. Whoever reads one checks it.
 *
 * `revision` grows with every change of what the lease consists of, not with its coming and going: of two copies the higher one counts.
 */
import { MAX_LUN_BYTES, MAX_LUNS } from '@scsipub/config'
import { compileRecord } from '../record-schema.js'
import { SECTOR_BYTES } from './sizes.js'

/** `image`: what the disk began as, by its name in the catalog or the id of a private image; absent for a blank disk. */
export interface LeaseLun {
  readonly lun: number
  readonly sizeBytes: number
  readonly image?: string
  /** Bytes that it is to grow to, while that is being done. */
  readonly growsTo?: number
}

export type LeaseState = 'provisioning' | 'suspended' | 'attached' | 'evicting'

/** Times in milliseconds since 1970. `node`: whose data directory has the volumes. `luns`: ascending; numbers may be missing. */
export interface LeaseRecord {
  readonly format: 1
  readonly id: string
  readonly accountId: string
  readonly node: string
  readonly revision: number
  readonly state: LeaseState
  readonly name?: string
  readonly chapSecret: string
  readonly ttlMs: number
  readonly createdAt: number
  /** When it is evicted if nobody uses it; of an attached one, as if it had been left right after the last login. */
  readonly expiresAt: number
  readonly luns: readonly LeaseLun[]
}

const time = { type: 'integer', minimum: 0 }
const size = { type: 'integer', minimum: SECTOR_BYTES, maximum: MAX_LUN_BYTES, multipleOf: SECTOR_BYTES }

const validate = compileRecord<LeaseRecord>({
  type: 'object',
  additionalProperties: false,
  required: 'format id accountId node revision state chapSecret ttlMs createdAt expiresAt luns'.split(' '),
  properties: {
    format: { const: 1 },
    id: { type: 'string', pattern: '^[a-z2-7]{26}$' },
    accountId: { type: 'string', minLength: 1, maxLength: 255 },
    node: { type: 'string', minLength: 1, maxLength: 255 },
    revision: { type: 'integer', minimum: 1 },
    state: { enum: ['provisioning', 'suspended', 'attached', 'evicting'] },
    name: { type: 'string', maxLength: 200 },
    chapSecret: { type: 'string', pattern: '^[\\x20-\\x7e]{12,16}$' },
    ttlMs: { type: 'integer', minimum: 1 },
    createdAt: time,
    expiresAt: time,
    luns: {
      type: 'array',
      maxItems: MAX_LUNS,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['lun', 'sizeBytes'],
        properties: {
          lun: { type: 'integer', minimum: 0, maximum: MAX_LUNS - 1 },
          sizeBytes: size,
          image: { type: 'string', minLength: 1, maxLength: 255 },
          growsTo: size,
        },
      },
    },
  },
})

/** The record of lease `id` that a value is; a string says what is wrong with it. */
export function readLeaseRecord(id: string, value: unknown): LeaseRecord | string {
  if (!validate(value)) {
    const faults = validate.errors ?? []
    return faults.map(({ instancePath, message }) => `${instancePath || 'it'} ${message ?? 'is wrong'}`).join('; ')
  }
  if (value.id !== id) return `it is the record of ${value.id}`
  const ascending = value.luns.every(({ lun }, index) => index === 0 || lun > (value.luns[index - 1]?.lun ?? 0))
  return ascending ? value : 'its LUNs are not in ascending order'
}
