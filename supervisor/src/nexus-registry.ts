/**
 * Which session is which nexus: (initiator name, ISID, target name, portal group) [7143 §3.4.3], and the rules for a login
 * that meets a live one [7143 §6.3.1, §6.3.5]:
 *
 *   | TSIH  | nexus live | CID        |                                                                   |
 *   | 0     | no         | -          | a new session                                                     |
 *   | 0     | yes        | -          | session reinstatement: the old session ends, then a new one       |
 *   | not 0 | no, or not that TSIH | - | 020a, session does not exist                                      |
 *   | not 0 | yes        | another    | 0206, too many connections: MaxConnections is 1                   |
 *   | not 0 | yes        | the same   | connection reinstatement, see `#reinstateConnection`: 020a         |
 *
 * The portal group is always 1. To the nexus of the RFC a *principal* is added: where nobody is authenticated, initiator
 * name and ISID are mere claims and easily guessed, and a stranger must not throw out a live session by them. Principals
 * do not meet; who is one, the caller says.
 *
 * Left out: discovery sessions are no nexus; they only have a TSIH. More than one connection a session.
 */
import type { LoginRefusal } from '@scsipub/contract'
import { outOfResources, serviceUnavailable, sessionDoesNotExist, tooManyConnections } from './login-status.js'
import { TsihAllocator } from './tsih.js'

export interface NexusClaim {
  readonly sessionId: number
  readonly principal: string
  readonly initiatorName: string
  /** 12 hex digits. */
  readonly isid: string
  readonly targetName: string
  readonly tsih: number
  readonly cid: number
}

export type NexusGrant = { readonly tsih: number; readonly reinstated: boolean } | { readonly refuse: LoginRefusal }

/** What the registry needs to know of sessions, and to do to them. */
export interface Sessions {
  /** Whether the session's run goes on. */
  isLive(sessionId: number): boolean
  /** Ends the session and waits for its run to end, within bounds; false when it would not. */
  end(sessionId: number, outcome: 'reinstated' | 'dropped', why: string): Promise<boolean>
}

interface Nexus {
  readonly key: string
  readonly sessionId: number
  readonly tsih: number
  readonly cid: number
}

export class NexusRegistry {
  readonly #sessions: Sessions
  readonly #tsihs = new TsihAllocator()
  readonly #byKey = new Map<string, Nexus>()
  readonly #bySession = new Map<number, Nexus>()
  readonly #queues = new Map<string, Promise<unknown>>()

  constructor(sessions: Sessions) {
    this.#sessions = sessions
  }

  /** Live sessions, discovery included. */
  get size(): number {
    return this.#bySession.size
  }

  /** Opens a nexus by the rules above. Logins of one nexus are taken one after the other, in the order of their calls. */
  open(claim: NexusClaim): Promise<NexusGrant> {
    const key = keyOf(claim)
    const turn = (this.#queues.get(key) ?? Promise.resolve()).then(() => this.#open(key, claim))
    this.#queues.set(key, turn)
    const done = () => {
      if (this.#queues.get(key) === turn) this.#queues.delete(key)
    }
    turn.then(done, done)
    return turn
  }

  /** Gives a discovery session its TSIH; none can be continued, so any TSIH but 0 is unknown [7143 §6.3.1]. */
  openDiscovery({ sessionId, tsih }: Pick<NexusClaim, 'sessionId' | 'tsih'>): NexusGrant {
    if (tsih !== 0) return { refuse: sessionDoesNotExist(`no discovery session has TSIH ${tsih}`) }
    return this.#register({ key: '', sessionId, cid: 0 }, false)
  }

  /** Forgets the session; its run has ended. One that never opened a nexus is no error. */
  close(sessionId: number): void {
    const nexus = this.#bySession.get(sessionId)
    if (!nexus) return
    this.#bySession.delete(sessionId)
    this.#tsihs.release(nexus.tsih)
    if (this.#byKey.get(nexus.key) === nexus) this.#byKey.delete(nexus.key)
  }

  async #open(key: string, claim: NexusClaim): Promise<NexusGrant> {
    const old = this.#byKey.get(key)
    if (claim.tsih !== 0) return this.#continue(old, claim)
    if (old && !(await this.#end(old, 'session reinstatement [7143 §6.3.5]'))) return { refuse: stuck() }
    if (!this.#sessions.isLive(claim.sessionId)) return { refuse: serviceUnavailable('the connection has gone') }
    return this.#register({ key, sessionId: claim.sessionId, cid: claim.cid }, old !== undefined)
  }

  async #continue(old: Nexus | undefined, { tsih, cid }: NexusClaim): Promise<NexusGrant> {
    if (!old || old.tsih !== tsih) return { refuse: sessionDoesNotExist(`this nexus has no session with TSIH ${tsih}`) }
    if (old.cid !== cid) return { refuse: tooManyConnections('MaxConnections is 1') }
    return this.#reinstateConnection(old)
  }

  /**
   * A login with the CID of a live connection first does what a Logout of that connection would [7143 §6.3.4]. At
   * ErrorRecoveryLevel 0 its tasks end with it, and since it was the only connection of its session, so does the session
   * [7143 §7.1.5]. Nothing is left that the new connection could join, so it is told the truth: the session does not exist.
   * The initiator then logs in with TSIH 0.
   */
  async #reinstateConnection(old: Nexus): Promise<NexusGrant> {
    if (!(await this.#end(old, 'connection reinstatement [7143 §6.3.4]'))) return { refuse: stuck() }
    return { refuse: sessionDoesNotExist('the session ended with its only connection, ErrorRecoveryLevel is 0') }
  }

  /** Ends an old session; its run's end has taken it out of the maps, which `close` makes sure of. */
  async #end(old: Nexus, why: string): Promise<boolean> {
    if (!(await this.#sessions.end(old.sessionId, 'reinstated', why))) return false
    this.close(old.sessionId)
    return true
  }

  #register(nexus: Omit<Nexus, 'tsih'>, reinstated: boolean): NexusGrant {
    if (this.#bySession.has(nexus.sessionId)) throw new Error(`session ${nexus.sessionId} has a nexus already`)
    const tsih = this.#tsihs.allocate()
    if (tsih === undefined) return { refuse: outOfResources('all 65535 session handles are taken') }
    const registered = { ...nexus, tsih }
    this.#bySession.set(nexus.sessionId, registered)
    if (nexus.key !== '') this.#byKey.set(nexus.key, registered)
    return { tsih, reinstated }
  }
}

function stuck(): LoginRefusal {
  return serviceUnavailable('the old session of this nexus has not ended yet')
}

/** iSCSI names compare in lower case [RFC 3722]; NUL ends a text key's value, so no name can have one. */
function keyOf({ principal, initiatorName, isid, targetName }: NexusClaim): string {
  return [principal, initiatorName.toLowerCase(), isid, targetName.toLowerCase()].join('\0')
}
