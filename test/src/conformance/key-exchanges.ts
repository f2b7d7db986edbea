// Every key of RFC 7143 §13, offered on the wire with the values that its rule makes interesting, and what the target answers.
// What the answer ought to be is worked out here from the result function alone.

import { DEFAULT_OFFER, KEYS, type Key, type TargetOffer } from '@scsipub/iscsi'
import { identityKeys, LoginTalk, type PortalAddress, transit, Wire } from '@scsipub/testkit'

export interface KeyExchange {
  readonly offered: string
  /** The answer, `none` where the target said nothing about the key, or the status of a refused login in hex. */
  readonly answered: string
  readonly expected: string
}

export interface KeyReport {
  readonly name: string
  readonly spec: string
  /** How the value comes about, in words. */
  readonly rule: string
  readonly exchanges: readonly KeyExchange[]
}

/** What the server is known to offer: the defaults of the package but for these. */
const SERVER: TargetOffer = { ...DEFAULT_OFFER, maxBurstLength: 1 << 20, maxConnections: 4, defaultTime2Retain: 0 }

/** Offers values of each key in logins of their own. `target` is the iSCSI name of one without authentication. */
export async function exchangeKeys(portal: PortalAddress, target: string): Promise<KeyReport[]> {
  const reports: KeyReport[] = []
  for (const [name, key] of Object.entries(KEYS) as [string, Key][]) {
    const exchanges: KeyExchange[] = []
    for (const [offered, expected] of cases(key)) {
      const wire = await Wire.connect(portal)
      try {
        const { status, keys } = await new LoginTalk(wire).ask(transit(1, 3), {
          ...identityKeys({ target }),
          [name]: offered,
        })
        exchanges.push({ offered, expected, answered: status === 0 ? (keys[name] ?? 'none') : status.toString(16) })
      } finally {
        await wire.end()
      }
    }
    reports.push({ name, spec: key.spec, rule: inWords(key), exchanges })
  }
  return reports
}

/** Values to offer, each with its answer [7143 §6.2, §13]. */
function cases({ rule, sender }: Key): [offered: string, expected: string][] {
  const bool = (value: boolean) => (value ? 'Yes' : 'No')
  switch (rule.kind) {
    case 'min':
    case 'max': {
      const [least, most] = rule.range
      const ours = rule.ours(SERVER)
      const within = [...new Set([least, rule.standard, most])].map(value => [
        String(value),
        String(Math[rule.kind](value, ours)),
      ])
      return [...within, [String(most + 1), 'Reject']] as [string, string][]
    }
    case 'and':
      return [true, false].map(value => [bool(value), bool(value && rule.ours(SERVER))])
    case 'or':
      return [true, false].map(value => [bool(value), bool(value || rule.ours(SERVER))])
    case 'list': {
      const ours = rule.ours(SERVER)
      return [...ours.map((value): [string, string] => [value, value]), ['X-unknown', 'Reject']]
    }
    case 'constant':
      return [['1', rule.answer]]
    case 'declareNumber':
      return [
        [String(rule.range[0]), String(SERVER.maxRecvDataSegmentLength)],
        // A declaration cannot be answered with Reject [7143 §6.2]: the login is refused, as an error of the initiator.
        [String(rule.range[1] + 1), '200'],
      ]
    case 'declareText':
      return sender === 'both' ? [['any text', 'none']] : []
  }
}

function inWords({ rule, sender }: Key): string {
  const words = {
    min: 'the smaller one',
    max: 'the larger one',
    and: 'AND',
    or: 'OR',
    list: 'first common value',
    constant: 'always the same',
    declareNumber: 'declared by each side',
    declareText: sender === 'both' ? 'declared by each side' : `declared by the ${sender}`,
  } as const
  return words[rule.kind]
}
