// The operational negotiation of one login from the side that answers: every key that the initiator offers gets its
// answer from the table in keys.ts, and the agreed values are kept [7143 §6.2].
//
// The target proposes nothing, it only declares; so nothing is ever open between two requests.

import type { Key, KeyName, Rule } from './keys.js'
import { findKey, KEYS, standardValue } from './keys.js'
import type { LoginRefusal } from './login-refusal.js'
import { refuse } from './login-refusal.js'
import type { TargetOffer } from './target-offer.js'
import type { TextPair } from './text.js'
import { booleanText, parseBoolean, parseList, parseNumber } from './value.js'

type Value = number | boolean | string

/** Answers that mean something by themselves and are never an offer [7143 §6.2]. */
const RESERVED_ANSWERS: readonly string[] = ['Irrelevant', 'NotUnderstood', 'Reject']

interface SessionKind {
  readonly discovery: boolean
  /** First connection of its session (TSIH 0). */
  readonly leading: boolean
}

export class Negotiation {
  readonly #offer: TargetOffer
  readonly #session: SessionKind
  readonly #taken = new Map<string, string>()
  readonly #agreed = new Map<string, Value>()

  constructor(offer: TargetOffer, session: SessionKind) {
    this.#offer = offer
    this.#session = session
  }

  /** Answers all pairs of one text, in order (FirstBurstLength after MaxBurstLength, which bounds it). */
  take(pairs: readonly TextPair[], stage: 'security' | 'operational'): TextPair[] | LoginRefusal {
    const answers: TextPair[] = []
    const late = pairs.filter(({ key }) => key === 'FirstBurstLength')
    for (const pair of [...pairs.filter(({ key }) => key !== 'FirstBurstLength'), ...late]) {
      const answer = this.#one(pair, stage)
      if (typeof answer === 'string') answers.push({ key: pair.key, value: answer })
      else if (answer) return answer
    }
    return answers
  }

  /** The agreed number, or the standard's default. */
  number(name: KeyName): number {
    const value = this.#value(name)
    if (typeof value !== 'number') throw new TypeError(`${name} is not a number`)
    return value
  }

  /** The agreed boolean, or the standard's default. */
  boolean(name: KeyName): boolean {
    const value = this.#value(name)
    if (typeof value !== 'boolean') throw new TypeError(`${name} is not a boolean`)
    return value
  }

  /** The agreed choice of a list, or the standard's default. */
  choice(name: KeyName): string {
    const value = this.#value(name)
    if (typeof value !== 'string') throw new TypeError(`${name} is not a list`)
    return value
  }

  #value(name: KeyName): Value | undefined {
    return this.#agreed.get(name) ?? standardValue(KEYS[name].rule)
  }

  /** The answer to one pair; undefined where none is due. */
  #one({ key: name, value }: TextPair, stage: 'security' | 'operational'): string | LoginRefusal | undefined {
    const key = findKey(name)
    if (!key) return RESERVED_ANSWERS.includes(value) ? undefined : 'NotUnderstood' // [7143 §6.2]
    if (key.sender === 'target') {
      return RESERVED_ANSWERS.includes(value) ? undefined : refuse(`${name} is for targets to send [7143 ${key.spec}]`)
    }
    const misplaced = this.#misplaced(name, key, stage)
    if (misplaced) return refuse(misplaced)
    const before = this.#taken.get(name)
    this.#taken.set(name, value)
    const declared = key.rule.kind === 'declareNumber' || key.rule.kind === 'declareText'
    if (before !== undefined) {
      if (declared && before === value) return undefined
      return refuse(`${name} is negotiated again [7143 §6.2]`)
    }
    // Nothing but SendTargets happens in a discovery session [7143 §4.3].
    if (key.normalOnly && this.#session.discovery) return 'Irrelevant'
    return this.#resolve(name, key, value)
  }

  #misplaced(name: string, key: Key, stage: 'security' | 'operational'): string | undefined {
    if (key.use === 'ffpo') return `${name} in the login phase [7143 ${key.spec}]`
    if (stage === 'security' && !key.anyStage) return `${name} in the security stage [7143 §12]`
    const declared = key.rule.kind === 'declareText'
    if (key.use === 'lo' && !this.#session.leading && !declared) {
      return `${name} on a connection that is not the leading one [7143 §13]`
    }
    return undefined
  }

  #resolve(name: string, key: Key, text: string): string | LoginRefusal | undefined {
    const { rule } = key
    switch (rule.kind) {
      case 'constant':
        return rule.answer
      case 'declareText':
        return undefined
      case 'declareNumber': {
        const value = inRange(text, rule.range)
        if (value === undefined) return refuse(`${name}=${text} is out of range [7143 ${key.spec}]`)
        this.#agreed.set(name, value)
        return undefined
      }
      default: {
        const value = this.#agree(name, key, rule, text)
        // What cannot be agreed on stays as it was [7143 §6.2].
        if (value === undefined) return 'Reject'
        this.#agreed.set(name, value)
        return typeof value === 'boolean' ? booleanText(value) : String(value)
      }
    }
  }

  #agree(
    name: string,
    key: Key,
    rule: Exclude<Rule, { kind: 'constant' | 'declareText' | 'declareNumber' }>,
    text: string,
  ): Value | undefined {
    switch (rule.kind) {
      case 'min': {
        const value = inRange(text, rule.range)
        if (value === undefined) return undefined
        const least = Math.min(value, rule.ours(this.#offer))
        // [7143 §13.14]
        return name === 'FirstBurstLength' ? Math.min(least, this.number('MaxBurstLength')) : least
      }
      case 'max': {
        const value = inRange(text, rule.range)
        return value === undefined ? undefined : Math.max(value, rule.ours(this.#offer))
      }
      case 'and': {
        const value = parseBoolean(text)
        return value === undefined ? undefined : value && rule.ours(this.#offer)
      }
      case 'or': {
        const value = parseBoolean(text)
        return value === undefined ? undefined : value || rule.ours(this.#offer)
      }
      case 'list': {
        const ours = key.noneInDiscovery && this.#session.discovery ? ['None'] : rule.ours(this.#offer)
        // The first of the offered values that we support [7143 §6.2.1].
        return parseList(text)?.find(value => ours.includes(value))
      }
    }
  }
}

function inRange(text: string, [low, high]: readonly [number, number]): number | undefined {
  const value = parseNumber(text)
  return value !== undefined && value >= low && value <= high ? value : undefined
}
