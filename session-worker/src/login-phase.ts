/**
 * The login phase of a connection: gives Login Requests to the negotiation, asks the supervisor what the negotiation wants to know,
 * and sends what it answers. [7143 §6, §11.12, §11.13]
 */

import { snAdd } from '@scsipub/bytes'
import type {
  ConnectionTask,
  LoginRecord,
  LoginRefusal,
  LoginTalkRecord,
  LunGrant,
  Requester,
  SupervisorReplies,
  SupervisorRequest,
} from '@scsipub/contract'
import {
  createLogin,
  encodeText,
  header,
  type Login,
  type LoginRequest,
  type LoginStep,
  loginRequest,
  loginResponse,
  Opcode,
  padded,
  type SessionParameters,
  type TargetOffer,
} from '@scsipub/iscsi'
import { COMMAND_WINDOW } from './numbering.js'
import type { PduWriter } from './pdu-writer.js'
import type { Session } from './session.js'

export type Supervisor = Requester<SupervisorRequest, SupervisorReplies>

export interface NewSession {
  readonly luns: readonly LunGrant[]
  readonly nexusLost: boolean
  readonly poweredOn: boolean
  readonly expCmdSn: number
}

/** What a login ended in. */
export interface LoggedIn {
  readonly parameters: SessionParameters
  readonly cid: number
  /** The live session that the connection was added to, or what a new one begins with. */
  readonly session: { readonly joined: Session } | NewSession
  /** The next StatSN. */
  readonly statSn: number
}

export interface LoginHost {
  /** A question is open: no further PDU may be given until `answered`. */
  asked(): void
  answered(): void
  /** The first login request names a session, which may be in another worker. `pdu` is that request, as it came. */
  handBack(tsih: number, pdu: Buffer): void
  /** The live session with that TSIH, when it is in this worker and begun by this initiator port. */
  find(tsih: number, isid: Buffer): Session | undefined
  /** Adds the connection to the session with that TSIH. */
  join(tsih: number, cid: number): Promise<{ joined: Session } | { refuse: LoginRefusal }>
  completed(login: LoggedIn): void
  /** Refused with a status, which was sent. */
  refused(why: string): void
  drop(why: string): void
  crash(error: unknown): void
}

/** Version of the draft that became the RFC; the only one there is [7143 §11.12.4]. */
const VERSION = 0

/** Who logs in to what, as every question about it begins. */
type Who = Omit<Extract<SupervisorRequest, { kind: 'target.identify' }>, 'kind' | 'id'>

type Opened = SupervisorReplies['nexus.open']

export class LoginPhase {
  readonly #login: Login
  readonly #task: ConnectionTask
  readonly #supervisor: Supervisor
  readonly #writer: PduWriter
  readonly #host: LoginHost
  #request: LoginRequest | undefined
  #who: Who | undefined
  #statSn = 0
  /** A live session of the initiator, for its CmdSN. */
  #session: Session | undefined
  #opened: Pick<LoggedIn, 'parameters' | 'session'> | undefined
  #abandoned = false
  /** When it has to be over, by `performance.now()`. */
  readonly #endMs: number
  /** All that was said: a login under way is given to another worker as what was said in it. */
  readonly #talk: LoginTalkRecord[] = []
  /** Answers that another worker had to what is said again now; nothing is sent meanwhile. */
  #repeated: unknown[] | undefined

  constructor(
    parts: { task: ConnectionTask; offer: TargetOffer; supervisor: Supervisor; writer: PduWriter; limitMs: number },
    host: LoginHost,
  ) {
    this.#login = createLogin(parts.offer)
    this.#endMs = performance.now() + parts.limitMs
    this.#task = parts.task
    this.#supervisor = parts.supervisor
    this.#writer = parts.writer
    this.#host = host
  }

  /** A PDU of the login phase: anything but a Login Request ends the connection [7143 §6.3]. */
  pdu(buffer: Buffer, head: number, dataAt: number, length: number): void {
    if (header.get.opcode(buffer, head) !== Opcode.loginRequest)
      return this.#host.drop('a PDU other than a login request before the login')
    const first = this.#request === undefined
    const tsih = loginRequest.get.tsih(buffer, head)
    if (first && tsih !== 0 && this.#task.received === undefined) {
      return this.#host.handBack(tsih, Buffer.from(buffer.subarray(head, dataAt + padded(length))))
    }
    // The buffer is used again before the supervisor has answered.
    this.#said(
      Buffer.from(buffer.subarray(head, head + loginRequest.size)),
      Buffer.from(buffer.subarray(dataAt, dataAt + length)),
    )
  }

  #said(header: Buffer, data: Buffer): void {
    this.#talk.push({ kind: 'request', header, data })
    const request = loginRequest.decode(header)
    const first = this.#request === undefined
    if (first) {
      this.#statSn = request.expStatSn
      this.#session = this.#host.find(request.tsih, request.isid)
    }
    this.#request = request
    this.#take(this.#login.request(request, data))
  }

  /** What was said so far, and the time that is left; no question may be open. */
  record(): Pick<LoginRecord, 'talk' | 'remainingMs'> {
    const remainingMs = Math.max(1, Math.round(this.#endMs - performance.now()))
    const talk = this.#talk.map(
      (one): LoginTalkRecord =>
        one.kind === 'reply'
          ? one
          : { kind: 'request', header: new Uint8Array(one.header), data: new Uint8Array(one.data) },
    )
    return { talk, remainingMs }
  }

  /** Goes to where another worker was: hears again what was said, and says nothing. */
  repeat(talk: readonly LoginTalkRecord[]): void {
    this.#repeated = talk.flatMap(one => (one.kind === 'reply' ? [one.value] : []))
    for (const one of talk) if (one.kind === 'request') this.#said(Buffer.from(one.header), Buffer.from(one.data))
    this.#repeated = undefined
  }

  #take(step: LoginStep): void {
    switch (step.kind) {
      case 'respond':
        this.#respond({ ...step.response }, step.text)
        if (step.complete) this.#complete()
        return
      case 'identify':
        return this.#identify(step)
      case 'authenticate':
        return this.#authenticate(step)
      case 'open':
        return this.#open(step.parameters, step.cid)
      case 'loginStatus':
        this.#respond({ statusClass: step.class, statusDetail: step.detail }, elsewhere(step))
        return this.#host.refused(`${hexStatus(step)}: ${step.why}`)
      case 'drop':
        return this.#host.drop(step.why)
    }
  }

  #identify({ initiatorName, targetName, sessionType }: Extract<LoginStep, { kind: 'identify' }>): void {
    this.#who = {
      connectionId: this.#task.connectionId,
      initiatorName,
      sessionType,
      ...(targetName === undefined ? {} : { targetName }),
    }
    const question = { ...this.#who, kind: 'target.identify' as const }
    this.#ask(
      () => this.#supervisor.ask(question),
      reply => this.#login.identified(reply),
    )
  }

  /** The supervisor judges: no secret ever is in this thread, which reads what strangers send. */
  #authenticate(step: Extract<LoginStep, { kind: 'authenticate' }>): void {
    const proof = { ...this.#who!, ...step, kind: 'chap.prove' as const }
    this.#ask(
      () => this.#supervisor.ask(proof),
      reply => this.#login.authenticated(reply),
    )
  }

  #open(parameters: SessionParameters, cid: number): void {
    const { initiatorName, sessionType, targetName } = parameters
    const question = {
      kind: 'nexus.open' as const,
      connectionId: this.#task.connectionId,
      initiatorName,
      sessionType,
      isid: parameters.isid.toString('hex'),
      tsih: parameters.tsih,
      cid,
      ...(targetName === undefined ? {} : { targetName }),
    }
    const joinOrBegin = async (reply: Opened) => ('joins' in reply ? this.#join(reply.joins, cid) : reply)
    this.#ask(
      () => this.#supervisor.ask(question).then(joinOrBegin),
      reply => {
        if ('refuse' in reply) return this.#login.opened(reply)
        const { tsih } = reply
        const session = 'joined' in reply ? reply : { ...reply, expCmdSn: this.#request!.cmdSn }
        this.#opened = { session, parameters: { ...parameters, tsih } }
        return this.#login.opened({ tsih })
      },
    )
  }

  async #join(tsih: number, cid: number): Promise<{ tsih: number; joined: Session } | { refuse: LoginRefusal }> {
    const reply = await this.#host.join(tsih, cid)
    return 'refuse' in reply ? reply : { ...reply, tsih }
  }

  /** The connection has ended: whatever is answered to an open question is of no use any more. */
  abandon(): void {
    this.#abandoned = true
  }

  #ask<T>(question: () => Promise<T>, next: (reply: T) => LoginStep): void {
    if (this.#repeated) {
      const value = this.#repeated.shift() as T
      this.#talk.push({ kind: 'reply', value })
      return this.#take(next(value))
    }
    this.#host.asked()
    question()
      .then(reply => {
        if (this.#abandoned) return
        this.#talk.push({ kind: 'reply', value: reply })
        this.#take(next(reply))
        this.#host.answered()
      })
      .catch((error: unknown) => this.#host.crash(error))
  }

  #respond(response: Partial<Parameters<typeof loginResponse.encode>[0]>, text: Buffer): void {
    const request = this.#request!
    const answer = loginResponse.encode({
      versionMax: VERSION,
      versionActive: VERSION,
      isid: request.isid,
      tsih: request.tsih,
      initiatorTaskTag: request.initiatorTaskTag,
      statSn: this.#statSn,
      // A login is immediate: it takes no number [7143 §11.12.8]. Those of a session are told on each of its connections.
      expCmdSn: this.#session?.window.expCmdSn ?? request.cmdSn,
      maxCmdSn: this.#session?.window.maxCmdSn ?? snAdd(request.cmdSn, COMMAND_WINDOW - 1),
      ...response,
    })
    this.#statSn = snAdd(this.#statSn, 1)
    if (!this.#repeated) this.#writer.whole(answer, text)
  }

  #complete(): void {
    this.#host.completed({ ...this.#opened!, cid: this.#request!.cid, statSn: this.#statSn })
  }
}

/** The text of a refusal: where the target has gone, if it has [7143 §11.13.5, §13.8]. */
function elsewhere({ targetAddress }: { targetAddress?: string }): Buffer {
  return encodeText(targetAddress === undefined ? [] : [{ key: 'TargetAddress', value: targetAddress }])
}

function hexStatus(status: { class: number; detail: number }): string {
  return `login status ${((status.class << 8) | status.detail).toString(16).padStart(4, '0')}`
}
