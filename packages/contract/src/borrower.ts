/**
 * Who borrows a volume, as the control block knows it. RESERVE holds for a session; a persistent reservation for an initiator port, whichever session
 * it has now [SPC-4 §5.13.7], so that in shared memory the port is known by a digest of its name.
 */
import { createHash } from 'node:crypto'

/** 64 bits of SHA-256 of an initiator port's name; `high` is never one of the marks of an access table. */
export interface PortDigest {
  readonly high: number
  readonly low: number
}

export class Borrower {
  readonly sessionId: number
  /** Name of the initiator port: iSCSI name, `,i,0x`, ISID. */
  readonly port: string
  #digest: PortDigest | undefined

  constructor(sessionId: number, port: string) {
    this.sessionId = sessionId
    this.port = port
  }

  /** Of the port. Made when it is first asked for: most volumes never see a persistent reservation. */
  get digest(): PortDigest {
    this.#digest ??= portDigest(this.port)
    return this.#digest
  }
}

/** Bits of what reservations keep a borrower from; 0 is full access. */
export const KEPT_OUT = {
  /** Another session holds the unit by RESERVE. */
  reserved: 1,
  /** A persistent reservation lets this nexus read, no more. */
  writing: 2,
  /** A persistent reservation lets it do nothing. */
  reading: 4,
} as const

/** Marks of an access table: a slot that was never used, and one that is not used any more. */
export const EMPTY = 0
export const REMOVED = -1

export function portDigest(port: string): PortDigest {
  const digest = createHash('sha256').update(port).digest()
  const high = digest.readInt32BE(0)
  return { high: high === EMPTY || high === REMOVED ? 1 : high, low: digest.readInt32BE(4) }
}

/** For I/O that no session does. */
export const NOBODY = new Borrower(0, '')
