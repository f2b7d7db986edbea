// SendTargets: what is asked for, and the answer as text [7143 Appendix C].

import { normalizeName } from './iscsi-name.js'
import { encodeText } from './text.js'

/** What a SendTargets value asks for: everything, the target of this session, or one target by name. */
export type SendTargetsRequest =
  | { readonly kind: 'all' }
  | { readonly kind: 'session' }
  | { readonly kind: 'name'; readonly name: string }

/** One target and where it is to be found. */
export interface DiscoveredTarget {
  readonly name: string
  /** `address` is `host:port`, with an IPv6 host in brackets. */
  readonly addresses: readonly { readonly address: string; readonly portalGroupTag: number }[]
}

/** Reads the value of SendTargets; undefined when it is none of the three forms. */
export function parseSendTargets(value: string): SendTargetsRequest | undefined {
  if (value === 'All') return { kind: 'all' }
  if (value === '') return { kind: 'session' }
  const name = normalizeName(value)
  return name === undefined ? undefined : { kind: 'name', name }
}

/** The text of an answer: each target's name, and its addresses behind it. Long answers are cut by TextPages. */
export function encodeTargets(targets: Iterable<DiscoveredTarget>): Buffer {
  const pieces: Buffer[] = []
  for (const { name, addresses } of targets) {
    pieces.push(
      encodeText([
        { key: 'TargetName', value: name },
        ...addresses.map(({ address, portalGroupTag }) => ({
          key: 'TargetAddress',
          value: `${address},${portalGroupTag}`,
        })),
      ]),
    )
  }
  return Buffer.concat(pieces)
}
