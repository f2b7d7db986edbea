// The login of one connection, seen from the target: Login Requests in, steps out [7143 §6.3, §11.12, §11.13].
//
// A reducer without input or output. It hands over to its caller when it knows who logs in ('identify'), when the initiator has
// said what proves it ('authenticate'), and when everything is agreed and only the session itself is missing ('open'). Header fields that count (StatSN, ExpCmdSN…) are the
// caller's, and so is time: how long a login may take is not known here.

import type { ChapProven } from './chap/chap.js'
import { LoginStage, LoginStatus } from './codes.js'
import type { Identity } from './identity.js'
import { readIdentity } from './identity.js'
import type { LoginRefusal } from './login-refusal.js'
import { refuse } from './login-refusal.js'
import type { LoginAnswer, LoginStep, Refused } from './login-step.js'
import { Negotiation } from './negotiation.js'
import type { LoginRequest } from './pdu/login-request.js'
import { loginRequest } from './pdu/login-request.js'
import type { LoginAuth } from './security.js'
import { isSecurityKey, Security } from './security.js'
import { sessionParameters } from './session-parameters.js'
import type { TargetOffer } from './target-offer.js'
import type { TextPair } from './text.js'
import { encodeText, parseText } from './text.js'
import { TextAssembler } from './text-pieces.js'

/** Requests of a login that end a text; real ones need two to four. */
const MAX_REQUESTS = 10
/** Requests of a login in all, with those that only continue a text. */
const MAX_PDUS = 40
const MAX_SECURITY_TEXT = 8192
const MAX_TEXT = 32768
/** What holds for a data segment until something else is declared, in bytes [7143 §13.12]. */
const DEFAULT_DATA_SEGMENT = 8192
const NO_TEXT = Buffer.alloc(0)

/** Who knows what comes next: a request of the initiator, or one of the caller's answers; or nobody, it is over. */
type Waiting = 'request' | 'identified' | 'authenticated' | 'opened' | 'nothing'

export class Login {
  readonly #offer: TargetOffer
  readonly #assembler = new TextAssembler(MAX_SECURITY_TEXT)
  #waiting: Waiting = 'request'
  #first: LoginRequest | undefined
  #last: LoginRequest | undefined
  #stage: number = LoginStage.security
  #requests = 0
  #pdus = 0
  #identity: Identity | undefined
  #negotiation: Negotiation | undefined
  #security: Security | undefined
  #pairs: readonly TextPair[] = []
  #answers: TextPair[] = []
  #tagSent = false
  #lengthSent = false

  constructor(offer: TargetOffer) {
    this.#offer = offer
  }

  /** The identity, once the step 'identify' was given. */
  get identity(): Identity | undefined {
    return this.#identity
  }

  /** Takes one Login Request. `header` and `data` are only used during the call. */
  request(header: LoginRequest, data: Buffer): LoginStep {
    if (this.#waiting !== 'request') return this.#drop('a login request that nobody waits for [7143 §6.3]')
    const wrong = this.#wrongHeader(header)
    if (wrong) return this.#refuse(wrong)
    const text = this.#assembler.add(data, header.continue)
    if (text === undefined) return this.#answer(header, [], { transit: false })
    if (!Buffer.isBuffer(text)) return this.#refuse(refuse(text.why))
    this.#requests += 1
    if (this.#requests > MAX_REQUESTS) return this.#refuse(refuse(`more than ${MAX_REQUESTS} login requests`))
    const pairs = parseText(text)
    if (!Array.isArray(pairs)) return this.#refuse(refuse(pairs.why))
    this.#pairs = pairs
    if (this.#identity) return this.#proceed(header)

    const identity = readIdentity(header, pairs)
    if ('kind' in identity) return this.#refuse(identity)
    this.#identity = identity
    this.#waiting = 'identified'
    return { kind: 'identify', ...identity }
  }

  /** The caller's answer to 'identify': what the target demands, or why the login ends here. */
  identified(decision: LoginAuth | Refused): LoginStep {
    const header = this.#last
    if (this.#waiting !== 'identified' || !header || !this.#identity) throw new Error('nobody asked who logs in')
    if ('refuse' in decision) return this.#refuse({ kind: 'loginStatus', ...decision.refuse })
    this.#waiting = 'request'
    this.#security = new Security(decision)
    const { sessionType, tsih } = this.#identity
    this.#negotiation = new Negotiation(this.#offer, { discovery: sessionType === 'discovery', leading: tsih === 0 })
    return this.#proceed(header)
  }

  /** The caller's answer to 'authenticate': what the target proves in return, or why the login ends here. */
  authenticated(decision: ChapProven | Refused): LoginStep {
    const header = this.#last
    if (this.#waiting !== 'authenticated' || !header || !this.#security) throw new Error('nobody asked for a proof')
    if ('refuse' in decision) return this.#refuse({ kind: 'loginStatus', ...decision.refuse })
    this.#waiting = 'request'
    const proof = this.#security.proven(decision)
    return Array.isArray(proof) ? this.#advance(header, [...this.#answers, ...proof]) : this.#refuse(proof)
  }

  /** The caller's answer to 'open': the TSIH of the session (1 to 65535), or why there is none. */
  opened(decision: { readonly tsih: number } | Refused): LoginStep {
    const header = this.#last
    if (this.#waiting !== 'opened' || !header) throw new Error('nobody asked to open a session')
    if ('refuse' in decision) return this.#refuse({ kind: 'loginStatus', ...decision.refuse })
    this.#waiting = 'nothing'
    return this.#answer(header, this.#answers, { transit: true, complete: true, tsih: decision.tsih })
  }

  /** What is wrong with a header where the login stands; remembers the header when nothing is. */
  #wrongHeader(header: LoginRequest): LoginRefusal | undefined {
    this.#pdus += 1
    if (this.#pdus > MAX_PDUS) return refuse(`more than ${MAX_PDUS} login requests`)
    const invalid = loginRequest.invalid(header)
    if (invalid) return refuse(invalid)
    // Version 0 is all there is [7143 §11.12.4].
    if (header.versionMin > 0)
      return refuse('a newer version is demanded [7143 §11.12.4]', LoginStatus.unsupportedVersion)
    const first = this.#first
    if (!first) {
      this.#first = { ...header, isid: Buffer.from(header.isid) }
      this.#stage = header.csg
    } else {
      const changed = changedField(first, header)
      if (changed) return refuse(`${changed} changed during the login`, LoginStatus.invalidDuringLogin)
      // Answers say to which stage we are gone; nobody goes back [7143 §6.3].
      if (header.csg !== this.#stage) return refuse(`stage ${header.csg} instead of ${this.#stage} [7143 §11.12.3]`)
    }
    this.#assembler.maxBytes = this.#stage === LoginStage.security ? MAX_SECURITY_TEXT : MAX_TEXT
    this.#last = { ...header, isid: Buffer.from(header.isid) }
    return undefined
  }

  /** Answers the pairs at hand, after the caller's judgement where one is due. */
  #proceed(header: LoginRequest): LoginStep {
    const answers = this.#takePairs()
    if (!Array.isArray(answers)) return this.#refuse(answers)
    const proof = this.#security?.proof
    if (!proof) return this.#advance(header, answers)
    this.#answers = answers
    this.#waiting = 'authenticated'
    return { kind: 'authenticate', ...proof }
  }

  /** Sends the answers and follows the initiator to its next stage if it wants to go and may. */
  #advance(header: LoginRequest, answers: TextPair[]): LoginStep {
    this.#declare(answers)
    if (!header.transit || !this.#security?.done) return this.#answer(header, answers, { transit: false })
    if (header.nsg === LoginStage.fullFeature) return this.#open(header, answers)
    const step = this.#answer(header, answers, { transit: true })
    this.#stage = header.nsg
    return step
  }

  #takePairs(): TextPair[] | LoginRefusal {
    const negotiation = this.#negotiation
    const security = this.#security
    if (!negotiation || !security) throw new Error('pairs before the identity')
    const keys = this.#pairs.filter(({ key }) => isSecurityKey(key))
    const others = this.#pairs.filter(({ key }) => !isSecurityKey(key))
    if (this.#stage === LoginStage.operational) {
      if (keys[0]) return refuse(`${keys[0].key} in the operational stage [7143 §12]`)
      if (!security.done) return refuse('this target demands authentication', LoginStatus.authenticationFailure)
      return negotiation.take(others, 'operational')
    }
    const chosen = security.take(keys)
    if (!Array.isArray(chosen)) return chosen
    const answers = negotiation.take(others, 'security')
    return Array.isArray(answers) ? [...chosen, ...answers] : answers
  }

  /** Adds what a target tells unasked: its portal group in the first answer, its longest data segment once. */
  #declare(answers: TextPair[]): void {
    if (!this.#tagSent && this.#identity?.sessionType === 'normal') {
      answers.unshift({ key: 'TargetPortalGroupTag', value: String(this.#offer.portalGroupTag) }) // [7143 §13.9]
    }
    this.#tagSent = true
    if (!this.#lengthSent && this.#stage === LoginStage.operational) {
      answers.push({ key: 'MaxRecvDataSegmentLength', value: String(this.#offer.maxRecvDataSegmentLength) }) // [7143 §13.12]
      this.#lengthSent = true
    }
  }

  #open(header: LoginRequest, answers: TextPair[]): LoginStep {
    if (!this.#identity || !this.#negotiation) throw new Error('a session without identity')
    this.#waiting = 'opened'
    this.#answers = answers
    const length = this.#lengthSent ? this.#offer.maxRecvDataSegmentLength : DEFAULT_DATA_SEGMENT
    return { kind: 'open', parameters: sessionParameters(this.#identity, this.#negotiation, length), cid: header.cid }
  }

  #answer(header: LoginRequest, pairs: readonly TextPair[], how: LoginAnswer): LoginStep {
    return {
      kind: 'respond',
      response: {
        transit: how.transit,
        continue: false,
        csg: this.#stage,
        nsg: how.transit ? header.nsg : 0,
        statusClass: 0,
        statusDetail: 0,
        tsih: how.tsih ?? header.tsih,
      },
      text: pairs.length === 0 ? NO_TEXT : encodeText(pairs),
      complete: how.complete ?? false,
    }
  }

  #refuse(refusal: LoginRefusal): LoginStep {
    this.#waiting = 'nothing'
    return refusal
  }

  #drop(why: string): LoginStep {
    this.#waiting = 'nothing'
    return { kind: 'drop', why }
  }
}

/** A login that agrees to `offer` at most. */
export function createLogin(offer: TargetOffer): Login {
  return new Login(offer)
}

/** The first of the fields that must stay as they are over a login [7143 §11.12.5 to §11.12.8] and did not. */
function changedField(first: LoginRequest, now: LoginRequest): string | undefined {
  if (!first.isid.equals(now.isid)) return 'ISID'
  for (const name of ['tsih', 'cid', 'initiatorTaskTag', 'cmdSn'] as const) if (first[name] !== now[name]) return name
  return undefined
}
