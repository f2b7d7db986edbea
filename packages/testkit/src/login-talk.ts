// The login phase, one request and one answer at a time: for tests that want to say anything in it [7143 §6.3, §11.12].
// The usual login, stage by stage, is in login.ts.

import { type LoginResponse, LoginStage, loginRequest, loginResponse, Opcode } from '@scsipub/iscsi'
import { decodeAs } from './received-pdu.js'
import { decodeKeys, encodeKeys, type TextKeys, type TextPairs } from './text-keys.js'
import type { Wire } from './wire.js'

type LoginFields = Parameters<typeof loginRequest.encode>[0]

export interface LoginAnswer extends LoginResponse {
  /** Class and detail as one number, 0x0203 for "not found"; 0 is success. */
  readonly status: number
  readonly data: Buffer
  /** Keys of this answer alone; a pair may be cut when the C bit is set, see `LoginTalk.whole`. */
  readonly keys: TextKeys
}

/** The fields of a stage that is to be left: `transit(0, 1)`. */
export const transit = (csg: number, nsg: number): LoginFields => ({ transit: true, csg, nsg })

export class LoginTalk {
  readonly wire: Wire
  readonly #fields: LoginFields
  #statSn: number | undefined

  /** `fields`: what all requests of this login have in common, such as the ISID. */
  constructor(wire: Wire, fields: LoginFields = {}) {
    this.wire = wire
    this.#fields = { isid: randomIsid(), initiatorTaskTag: 0x0106_0000, cmdSn: 1, expStatSn: 0, ...fields }
  }

  /** StatSN of the last answer. */
  get statSn(): number | undefined {
    return this.#statSn
  }

  /** Sends a request and does not wait. */
  send(fields: LoginFields, text: TextKeys | TextPairs | Buffer = {}): void {
    const expStatSn = this.#statSn === undefined ? {} : { expStatSn: (this.#statSn + 1) >>> 0 }
    const header = loginRequest.encode({ csg: LoginStage.security, ...this.#fields, ...expStatSn, ...fields })
    this.wire.send(header, Buffer.isBuffer(text) ? text : encodeKeys(text))
  }

  /**
   * Waits for a Login Response.
   * @throws Error when it is illegal, or its StatSN does not follow the last one's [7143 §11.13.4]
   */
  async answer(deadlineMs?: number): Promise<LoginAnswer> {
    const pdu = await this.wire.inbox.take({
      what: 'login response',
      matches: one => one.opcode === Opcode.loginResponse,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    })
    const fields = decodeAs(loginResponse, pdu)
    if (this.#statSn !== undefined && fields.statSn !== (this.#statSn + 1) >>> 0) {
      throw new Error(`StatSN of a login response is ${fields.statSn} after ${this.#statSn}`)
    }
    this.#statSn = fields.statSn
    const keys = fields.continue ? {} : decodeKeys(pdu.data)
    return { ...fields, status: (fields.statusClass << 8) | fields.statusDetail, data: pdu.data, keys }
  }

  /** A request and its answer. */
  ask(fields: LoginFields, text?: TextKeys | TextPairs | Buffer, deadlineMs?: number): Promise<LoginAnswer> {
    this.send(fields, text)
    return this.answer(deadlineMs)
  }

  /** As `ask`, and asks on while the answer has the C bit; `keys` are those of the whole text [7143 §6.2]. */
  async whole(fields: LoginFields, text?: TextKeys | TextPairs | Buffer): Promise<LoginAnswer> {
    let answer = await this.ask(fields, text)
    const pieces = [answer.data]
    while (answer.continue) {
      answer = await this.ask({ csg: fields.csg ?? 0 })
      pieces.push(answer.data)
    }
    const data = Buffer.concat(pieces)
    return { ...answer, data, keys: decodeKeys(data) }
  }
}

/** An ISID of the random kind: T = 10b, then 24 random bits and a qualifier [7143 §11.12.5]. */
export function randomIsid(): Buffer {
  const isid = Buffer.alloc(6)
  isid[0] = 0x80
  isid.writeUInt32BE(Math.floor(Math.random() * 0xffffffff), 1)
  return isid
}
