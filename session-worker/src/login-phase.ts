/**
 * The login phase of a connection: gives Login Requests to the negotiation, asks the supervisor what the negotiation wants to know,
 * and sends what it answers. [7143 §6, §11.12, §11.13]
 */

import { snAdd } from '@scsipub/bytes'
import type {
  LoginRefusal,
  LunGrant,
  Requester,
  SessionTask,
  SupervisorReplies,
  SupervisorRequest,
} from '@scsipub/contract'
import {
  createLogin,
  header,
  type Login,
  type LoginRequest,
  type LoginStep,
  loginRequest,
  loginResponse,
  Opcode,
  type SessionParameters,
  type TargetOffer,
} from '@scsipub/iscsi'
import { COMMAND_WINDOW } from './numbering.js'
import type { PduWriter } from './pdu-writer.js'

export type Supervisor = Requester<SupervisorRequest, SupervisorReplies>

export interface OpenedSession {
  readonly parameters: SessionParameters
  readonly luns: readonly LunGrant[]
  readonly nexusLost: boolean
  readonly cid: number
  /** First CmdSN of the full feature phase, and the next StatSN. */
  readonly expCmdSn: number
  readonly statSn: number
}

export interface LoginHost {
  /** A question to the supervisor is open: no further PDU may be given until `answered`. */
  asked(): void
  answered(): void
  completed(session: OpenedSession): void
  /** Refused with a status, which was sent. */
  refused(why: string): void
  drop(why: string): void
  crash(error: unknown): void
}

/** Version of the draft that became the RFC; the only one there is [7143 §11.12.4]. */
const VERSION = 0

type Opened = Exclude<SupervisorReplies['nexus.open'], { refuse: LoginRefusal }>

export class LoginPhase {
  readonly #login: Login
  readonly #task: SessionTask
  readonly #supervisor: Supervisor
  readonly #writer: PduWriter
  readonly #host: LoginHost
  #request: LoginRequest | undefined
  #statSn = 0
  #opened: (Opened & { parameters: SessionParameters }) | undefined

  constructor(
    parts: { task: SessionTask; offer: TargetOffer; supervisor: Supervisor; writer: PduWriter },
    host: LoginHost,
  ) {
    this.#login = createLogin(parts.offer)
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
    // The buffer is used again before the supervisor has answered.
    const request = loginRequest.decode(Buffer.from(buffer.subarray(head, head + loginRequest.size)))
    if (first) this.#statSn = request.expStatSn
    this.#request = request
    this.#take(this.#login.request(request, Buffer.from(buffer.subarray(dataAt, dataAt + length))))
  }

  #take(step: LoginStep): void {
    switch (step.kind) {
      case 'respond':
        this.#respond({ ...step.response }, step.text)
        if (step.complete) this.#complete()
        return
      case 'identify':
        return this.#identify(step)
      case 'open':
        return this.#open(step.parameters, step.cid)
      case 'loginStatus':
        this.#respond({ statusClass: step.class, statusDetail: step.detail }, Buffer.alloc(0))
        return this.#host.refused(`${hexStatus(step)}: ${step.why}`)
      case 'drop':
        return this.#host.drop(step.why)
    }
  }

  #identify({ initiatorName, targetName, sessionType }: Extract<LoginStep, { kind: 'identify' }>): void {
    const question = {
      kind: 'target.identify' as const,
      sessionId: this.#task.sessionId,
      initiatorName,
      sessionType,
      ...(targetName === undefined ? {} : { targetName }),
    }
    this.#ask(this.#supervisor.ask(question), reply => this.#login.identified(reply))
  }

  #open(parameters: SessionParameters, cid: number): void {
    const { initiatorName, sessionType, targetName } = parameters
    const question = {
      kind: 'nexus.open' as const,
      sessionId: this.#task.sessionId,
      initiatorName,
      sessionType,
      isid: parameters.isid.toString('hex'),
      tsih: parameters.tsih,
      cid,
      ...(targetName === undefined ? {} : { targetName }),
    }
    this.#ask(this.#supervisor.ask(question), reply => {
      if ('refuse' in reply) return this.#login.opened(reply)
      this.#opened = { ...reply, parameters: { ...parameters, tsih: reply.tsih } }
      return this.#login.opened({ tsih: reply.tsih })
    })
  }

  #ask<T>(question: Promise<T>, next: (reply: T) => LoginStep): void {
    this.#host.asked()
    question
      .then(reply => {
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
      expCmdSn: request.cmdSn, // a login is immediate: it takes no number [7143 §11.12.8]
      maxCmdSn: snAdd(request.cmdSn, COMMAND_WINDOW - 1),
      ...response,
    })
    this.#statSn = snAdd(this.#statSn, 1)
    this.#writer.whole(answer, text)
  }

  #complete(): void {
    const { parameters, luns, nexusLost } = this.#opened!
    this.#host.completed({
      parameters,
      luns,
      nexusLost,
      cid: this.#request!.cid,
      expCmdSn: this.#request!.cmdSn,
      statSn: this.#statSn,
    })
  }
}

function hexStatus(status: { class: number; detail: number }): string {
  return `login status ${((status.class << 8) | status.detail).toString(16).padStart(4, '0')}`
}
