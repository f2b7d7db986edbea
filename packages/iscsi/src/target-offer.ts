// What the target is ready to agree to. The negotiation takes it as it is; limits that come from memory or policy are set
// by whoever makes the offer.

export interface TargetOffer {
  /** Longest data segment we take, in bytes (512 to 2^24-1). Declared once, in the operational stage. */
  readonly maxRecvDataSegmentLength: number
  /** Longest sequence of solicited data, in bytes. */
  readonly maxBurstLength: number
  /** Most unsolicited data, in bytes. */
  readonly firstBurstLength: number
  readonly initialR2T: boolean
  readonly immediateData: boolean
  readonly maxOutstandingR2T: number
  readonly maxConnections: number
  /** Digests that we can do; the initiator's order of preference decides among them. */
  readonly digests: readonly ('CRC32C' | 'None')[]
  /** Seconds. */
  readonly defaultTime2Wait: number
  /** Seconds. */
  readonly defaultTime2Retain: number
  /** Portal group of the address that the initiator connected to (0 to 65535). */
  readonly portalGroupTag: number
}

/** Good for a server with memory to spare; `{ ...DEFAULT_OFFER, … }` for another. */
export const DEFAULT_OFFER: TargetOffer = {
  maxRecvDataSegmentLength: 262144,
  maxBurstLength: 16776192,
  firstBurstLength: 262144,
  initialR2T: false,
  immediateData: true,
  maxOutstandingR2T: 8,
  maxConnections: 1,
  digests: ['CRC32C', 'None'],
  defaultTime2Wait: 2,
  defaultTime2Retain: 20,
  portalGroupTag: 1,
}
