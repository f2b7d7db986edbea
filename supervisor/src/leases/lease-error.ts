/** Why something cannot be done with a lease: stable codes for programs, words for people, several at once where there are several. */

export type LeaseFaultCode =
  | 'quota-exceeded'
  | 'image-unknown'
  | 'image-in-use'
  | 'size-invalid'
  | 'ttl-invalid'
  | 'name-invalid'
  | 'luns-missing'
  | 'too-many-luns'
  | 'lease-unknown'
  | 'lun-unknown'
  | 'busy'
  | 'refused'
  | 'store-unavailable'
  | 'space'
  | 'failed'

export interface LeaseFault {
  readonly code: LeaseFaultCode
  /** What is wrong, and what would do. */
  readonly why: string
  /** Where in the wish, such as `luns[1].sizeBytes`; absent when it is about the whole. */
  readonly path?: string
}

/** `code` is that of the first fault. */
export class LeaseError extends Error {
  readonly code: LeaseFaultCode
  readonly faults: readonly LeaseFault[]

  constructor(faults: readonly [LeaseFault, ...LeaseFault[]]) {
    super(faults.map(({ path, why }) => (path === undefined ? why : `${path}: ${why}`)).join('; '))
    this.name = 'LeaseError'
    this.code = faults[0].code
    this.faults = faults
  }
}

/** An error of one fault. */
export function leaseError(code: LeaseFaultCode, why: string): LeaseError {
  return new LeaseError([{ code, why }])
}
