// The usual login: security stage (without authentication, or with CHAP), operational stage, full feature phase [7143 §6.3].

import type { Digests } from '@scsipub/iscsi'
import { authenticate, type ChapOptions } from './chap.js'
import { type LoginAnswer, LoginTalk, transit } from './login-talk.js'
import type { TextKeys } from './text-keys.js'
import type { Wire } from './wire.js'

export interface LoginOptions {
  /** Name of the target; without one it is a discovery session. */
  readonly target?: string
  readonly initiatorName?: string
  /** Six bytes; random unless told. */
  readonly isid?: Buffer
  readonly tsih?: number
  readonly cid?: number
  /** CmdSN of the login and of the first command. */
  readonly cmdSn?: number
  /** Keys of the operational stage, beside or in place of the usual ones. */
  readonly keys?: TextKeys
  /** What was agreed on with the first connection, when this is another one of its session: only its own keys are offered. */
  readonly session?: Agreed
  /** Authenticate by CHAP. */
  readonly chap?: ChapOptions
  /** Begin with the operational stage. */
  readonly skipSecurity?: boolean
}

/** What holds for the session, after the answers of the target; defaults are the standard's [7143 §13]. */
export interface Agreed {
  readonly headerDigest: boolean
  readonly dataDigest: boolean
  readonly maxConnections: number
  readonly initialR2T: boolean
  readonly immediateData: boolean
  readonly maxBurstLength: number
  readonly firstBurstLength: number
  readonly maxOutstandingR2T: number
  /** What the target takes in one data segment. */
  readonly targetMaxRecvDataSegmentLength: number
  /** What we said that we take. */
  readonly ownMaxRecvDataSegmentLength: number
}

export interface LoggedIn {
  readonly tsih: number
  readonly agreed: Agreed
  /** All keys that the target sent in the operational stage. */
  readonly keys: TextKeys
  readonly last: LoginAnswer
}

/** A login that the target refused, with its status (0x0203, …). */
export class LoginRefused extends Error {
  readonly status: number
  constructor(status: number) {
    super(`the target refused the login with status ${status.toString(16).padStart(4, '0')}`)
    this.name = 'LoginRefused'
    this.status = status
  }
}

export const INITIATOR_NAME = 'iqn.2025-01.pub.scsipub.test:initiator'

/** The keys that say who wants what [7143 §13.4, §13.5, §13.21]. */
export function identityKeys({ target, initiatorName = INITIATOR_NAME }: LoginOptions): TextKeys {
  const session: TextKeys =
    target === undefined ? { SessionType: 'Discovery' } : { TargetName: target, SessionType: 'Normal' }
  return { InitiatorName: initiatorName, ...session }
}

const NORMAL_KEYS: TextKeys = {
  HeaderDigest: 'None',
  DataDigest: 'None',
  MaxRecvDataSegmentLength: '262144',
  InitialR2T: 'No',
  ImmediateData: 'Yes',
  MaxBurstLength: '1048576',
  FirstBurstLength: '262144',
  MaxOutstandingR2T: '8',
}
/** Those of them that each connection negotiates for itself [7143 §13]. */
const CONNECTION_KEYS: TextKeys = { HeaderDigest: 'None', DataDigest: 'None', MaxRecvDataSegmentLength: '262144' }
const DISCOVERY_KEYS: TextKeys = { MaxRecvDataSegmentLength: '32768' }

/**
 * Logs in on `wire`, which has digests afterwards when they were agreed on.
 * @throws LoginRefused for a status other than success
 */
export async function login(wire: Wire, options: LoginOptions = {}): Promise<LoggedIn> {
  const { isid, tsih, cid, cmdSn } = options
  const talk = new LoginTalk(wire, {
    ...(isid && { isid }),
    ...(tsih !== undefined && { tsih }),
    ...(cid !== undefined && { cid }),
    ...(cmdSn !== undefined && { cmdSn }),
  })
  const usual = options.session ? CONNECTION_KEYS : options.target === undefined ? DISCOVERY_KEYS : NORMAL_KEYS
  const offered = { ...usual, ...options.keys }
  let first = identityKeys(options)
  if (!options.skipSecurity) {
    const answer = options.chap
      ? await authenticate(talk, first, options.chap)
      : await talk.whole(transit(0, 1), { ...first, AuthMethod: 'None' })
    if (answer.status !== 0) throw new LoginRefused(answer.status)
    if (!answer.transit) throw new Error('the target stays in the security stage')
    first = {}
  }
  const last = await talk.whole(transit(1, 3), { ...first, ...offered })
  if (last.status !== 0) throw new LoginRefused(last.status)
  if (!last.transit || last.nsg !== 3) throw new Error('the target does not enter the full feature phase')
  const agreed = agreement(offered, last.keys, options.session)
  wire.setDigests(digestsOf(agreed))
  return { tsih: last.tsih, agreed, keys: last.keys, last }
}

function digestsOf({ headerDigest, dataDigest }: Agreed): Digests {
  return { header: headerDigest, data: dataDigest }
}

/** The answer decides; a key that was offered and not answered keeps the standard's default [7143 §6.2]. */
function agreement(offered: TextKeys, answered: TextKeys, session?: Agreed): Agreed {
  const number = (key: string, standard: number): number => Number(answered[key] ?? standard)
  const yes = (key: string, standard: string): boolean => (answered[key] ?? standard) === 'Yes'
  const own = {
    headerDigest: answered.HeaderDigest === 'CRC32C',
    dataDigest: answered.DataDigest === 'CRC32C',
    targetMaxRecvDataSegmentLength: number('MaxRecvDataSegmentLength', 8192),
    ownMaxRecvDataSegmentLength: Number(offered.MaxRecvDataSegmentLength ?? 8192),
  }
  if (session) return { ...session, ...own }
  return {
    ...own,
    maxConnections: number('MaxConnections', 1),
    initialR2T: yes('InitialR2T', 'Yes'),
    immediateData: yes('ImmediateData', 'Yes'),
    maxBurstLength: number('MaxBurstLength', 262144),
    firstBurstLength: number('FirstBurstLength', 65536),
    maxOutstandingR2T: number('MaxOutstandingR2T', 1),
  }
}
