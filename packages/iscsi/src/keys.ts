// All keys of RFC 7143 §13, one row a key: how it is agreed on, its range and default, when it may be sent and by whom.
// The keys of authentication [7143 §12] are not here but in security.ts.
//
// `use` [7143 §13]: io = login only, lo = login of the leading connection only, all = login and full feature phase,
// ffpo = full feature phase only.

import type { TargetOffer } from './target-offer.js'

/** How a value comes about: numbers and booleans by their result function, lists by the first common value. */
export type Rule =
  | {
      readonly kind: 'min' | 'max'
      readonly range: readonly [number, number]
      readonly standard: number
      readonly ours: (offer: TargetOffer) => number
    }
  | { readonly kind: 'and' | 'or'; readonly standard: boolean; readonly ours: (offer: TargetOffer) => boolean }
  | { readonly kind: 'list'; readonly standard: string; readonly ours: (offer: TargetOffer) => readonly string[] }
  | { readonly kind: 'declareNumber'; readonly range: readonly [number, number]; readonly standard: number }
  | { readonly kind: 'declareText' }
  /** Always answered alike. */
  | { readonly kind: 'constant'; readonly answer: string }

export interface Key {
  readonly spec: string
  readonly rule: Rule
  readonly use: 'io' | 'lo' | 'all' | 'ffpo'
  readonly sender: 'initiator' | 'target' | 'both'
  /** May be sent in the security stage as well [7143 §12]. */
  readonly anyStage?: true
  /** Answered with Irrelevant in a discovery session. */
  readonly normalOnly?: true
  /** Offered and no answer but None in a discovery session. */
  readonly noneInDiscovery?: true
}

const LENGTH = [512, 0xffffff] as const
const SECONDS = [0, 3600] as const
const COUNT = [1, 65535] as const

export const KEYS = {
  HeaderDigest: {
    spec: '§13.1',
    use: 'io',
    sender: 'both',
    noneInDiscovery: true,
    rule: { kind: 'list', standard: 'None', ours: offer => offer.digests },
  },
  DataDigest: {
    spec: '§13.1',
    use: 'io',
    sender: 'both',
    noneInDiscovery: true,
    rule: { kind: 'list', standard: 'None', ours: offer => offer.digests },
  },
  MaxConnections: {
    spec: '§13.2',
    use: 'lo',
    sender: 'both',
    normalOnly: true,
    rule: { kind: 'min', range: COUNT, standard: 1, ours: offer => offer.maxConnections },
  },
  SendTargets: { spec: '§13.3', use: 'ffpo', sender: 'initiator', rule: { kind: 'declareText' } },
  TargetName: { spec: '§13.4', use: 'io', sender: 'initiator', anyStage: true, rule: { kind: 'declareText' } },
  InitiatorName: { spec: '§13.5', use: 'io', sender: 'initiator', anyStage: true, rule: { kind: 'declareText' } },
  TargetAlias: { spec: '§13.6', use: 'all', sender: 'target', anyStage: true, rule: { kind: 'declareText' } },
  InitiatorAlias: { spec: '§13.7', use: 'all', sender: 'initiator', anyStage: true, rule: { kind: 'declareText' } },
  TargetAddress: { spec: '§13.8', use: 'all', sender: 'target', anyStage: true, rule: { kind: 'declareText' } },
  TargetPortalGroupTag: { spec: '§13.9', use: 'io', sender: 'target', anyStage: true, rule: { kind: 'declareText' } },
  InitialR2T: {
    spec: '§13.10',
    use: 'lo',
    sender: 'both',
    normalOnly: true,
    rule: { kind: 'or', standard: true, ours: offer => offer.initialR2T },
  },
  ImmediateData: {
    spec: '§13.11',
    use: 'lo',
    sender: 'both',
    normalOnly: true,
    rule: { kind: 'and', standard: true, ours: offer => offer.immediateData },
  },
  MaxRecvDataSegmentLength: {
    spec: '§13.12',
    use: 'all',
    sender: 'both',
    rule: { kind: 'declareNumber', range: LENGTH, standard: 8192 },
  },
  MaxBurstLength: {
    spec: '§13.13',
    use: 'lo',
    sender: 'both',
    normalOnly: true,
    rule: { kind: 'min', range: LENGTH, standard: 262144, ours: offer => offer.maxBurstLength },
  },
  FirstBurstLength: {
    spec: '§13.14',
    use: 'lo',
    sender: 'both',
    normalOnly: true,
    rule: { kind: 'min', range: LENGTH, standard: 65536, ours: offer => offer.firstBurstLength },
  },
  DefaultTime2Wait: {
    spec: '§13.15',
    use: 'lo',
    sender: 'both',
    rule: { kind: 'max', range: SECONDS, standard: 2, ours: offer => offer.defaultTime2Wait },
  },
  DefaultTime2Retain: {
    spec: '§13.16',
    use: 'lo',
    sender: 'both',
    rule: { kind: 'min', range: SECONDS, standard: 20, ours: offer => offer.defaultTime2Retain },
  },
  MaxOutstandingR2T: {
    spec: '§13.17',
    use: 'lo',
    sender: 'both',
    normalOnly: true,
    rule: { kind: 'min', range: COUNT, standard: 1, ours: offer => offer.maxOutstandingR2T },
  },
  DataPDUInOrder: {
    spec: '§13.18',
    use: 'lo',
    sender: 'both',
    normalOnly: true,
    rule: { kind: 'or', standard: true, ours: () => true },
  },
  DataSequenceInOrder: {
    spec: '§13.19',
    use: 'lo',
    sender: 'both',
    normalOnly: true,
    rule: { kind: 'or', standard: true, ours: () => true },
  },
  ErrorRecoveryLevel: {
    spec: '§13.20',
    use: 'lo',
    sender: 'both',
    rule: { kind: 'min', range: [0, 2], standard: 0, ours: () => 0 },
  },
  SessionType: { spec: '§13.21', use: 'lo', sender: 'initiator', anyStage: true, rule: { kind: 'declareText' } },
  TaskReporting: {
    spec: '§13.23',
    use: 'lo',
    sender: 'both',
    normalOnly: true,
    rule: { kind: 'list', standard: 'RFC3720', ours: () => ['RFC3720'] },
  },
  iSCSIProtocolLevel: {
    spec: '§13.24',
    use: 'lo',
    sender: 'both',
    normalOnly: true,
    rule: { kind: 'min', range: [0, 31], standard: 1, ours: () => 1 },
  },
  // Markers are gone from the standard, the keys still come [7143 §13.25].
  IFMarker: { spec: '§13.25', use: 'io', sender: 'both', rule: { kind: 'constant', answer: 'No' } },
  OFMarker: { spec: '§13.25', use: 'io', sender: 'both', rule: { kind: 'constant', answer: 'No' } },
  IFMarkInt: { spec: '§13.25', use: 'io', sender: 'both', rule: { kind: 'constant', answer: 'Irrelevant' } },
  OFMarkInt: { spec: '§13.25', use: 'io', sender: 'both', rule: { kind: 'constant', answer: 'Irrelevant' } },
  'X#NodeArchitecture': { spec: '§13.26', use: 'lo', sender: 'both', rule: { kind: 'declareText' } },
} as const satisfies Record<string, Key>

export type KeyName = keyof typeof KEYS

const byName = new Map<string, Key>(Object.entries(KEYS))

/** The row of a key, or undefined for one that the standard does not have. */
export function findKey(name: string): Key | undefined {
  return byName.get(name)
}

/** What holds for a key until something else was agreed on. */
export function standardValue(rule: Rule): number | boolean | string | undefined {
  return 'standard' in rule ? rule.standard : undefined
}
