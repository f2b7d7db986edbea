// A session that only logs in and out, as cheap as Node makes it: the initiator of a benchmark takes its time from the server.
// The receive buffer is one for all of them; answers are small and come whole, and one that does not is a failure.
//
// Left out: answers to the target's pings. The benchmark is over before a target gives up.

import { connect, type Socket } from 'node:net'
import { BHS_SIZE, LogoutStatus, loginResponse, logoutResponse } from '@scsipub/iscsi'
import { loginPdu, logoutPdu } from './login-pdus.js'

/** More than the whole answer to a login. */
const BUFFER_BYTES = 8192
/** Connections leave from several addresses, so that ports of closed ones are not missed while they rest in TIME_WAIT. */
const ADDRESSES = 16

const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
const logout = logoutPdu()

export class BareSession {
  readonly #socket: Socket
  #answered: (bytes: number) => void = () => {}
  #failed: (why: Error) => void = () => {}

  /** Logs in to `target` on the loopback. @throws Error (as a rejection) when the target refuses or the connection ends */
  static async login(port: number, target: string, index: number): Promise<BareSession> {
    const session = new BareSession(port, index)
    await session.#ask(loginPdu(target, index), bytes => {
      const { transit, statusClass, statusDetail, opcode } = loginResponse.decode(buffer)
      if (bytes < BHS_SIZE || opcode !== loginResponse.opcode) return 'something else than a login response'
      if (statusClass !== 0 || !transit) return `login status ${statusClass}/${statusDetail}`
      return undefined
    })
    return session
  }

  private constructor(port: number, index: number) {
    const onread = {
      buffer,
      callback: (bytes: number): boolean => {
        this.#answered(bytes)
        return true
      },
    }
    const localAddress = `127.0.0.${2 + (index % ADDRESSES)}`
    this.#socket = connect({ host: '127.0.0.1', port, localAddress, noDelay: true, onread })
    this.#socket.on('error', error => this.#failed(error))
    this.#socket.on('close', () => this.#failed(new Error('the target closed the connection')))
  }

  /** Logs out, waits for the answer, closes. */
  async logout(): Promise<void> {
    await this.#ask(logout, bytes => {
      const { get, opcode } = logoutResponse
      if (bytes < BHS_SIZE || get.opcode(buffer, 0) !== opcode) return 'something else than a logout response'
      return get.response(buffer, 0) === LogoutStatus.closed ? undefined : 'the logout failed'
    })
    this.close()
  }

  close(): void {
    this.#failed = () => {}
    this.#socket.destroy()
  }

  #ask(pdu: Buffer, invalid: (bytes: number) => string | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#failed = reject
      this.#answered = bytes => {
        const why = invalid(bytes)
        if (why === undefined) resolve()
        else reject(new Error(`the target answered with ${why}`))
      }
      this.#socket.write(pdu)
    })
  }
}
