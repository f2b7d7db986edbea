/**
 * Which session is which nexus: (initiator name, ISID, target name, portal group) [7143 §3.4.3], and the rules for a login
 * that meets a live one [7143 §6.3.1, §6.3.4, §6.3.5]:
 *
 *   | TSIH  | nexus live           |                                                            |
 *   | 0     | no                   | a new session                                              |
 *   | 0     | yes                  | session reinstatement: the old session ends, then a new one |
 *   | not 0 | no, or not that TSIH | 020a, session does not exist                               |
 *   | not 0 | yes                  | another connection of the session, if the session agrees   |
 *
 * How many connections a session may have, and which of them has the same CID, the session itself knows best, in its worker.
 *
 * The portal group is always 1. To the nexus of the RFC a *principal* is added: initiator name and ISID are mere claims
 * and easily guessed, and a stranger must not throw out a live session by them, nor join it. Principals do not meet; who is one,
 * the caller says: the name that was proved by CHAP, or on free targets the peer's address.
 *
 * Left out: discovery sessions are no nexus; they only have a TSIH, and one connection.
 */
import type { LoginRefusal } from '@scsipub/contract'
import { outOfResources, serviceUnavailable, sessionDoesNotExist } from './login-status.js'
import { PowerOnMemory } from './power-on-memory.js'
import { TsihAllocator } from './tsih.js'

export interface NexusClaim {
  readonly sessionId: number
  readonly principal: string
  readonly initiatorName: string
  /** 12 hex digits. */
  readonly isid: string
  readonly targetName: string
  readonly tsih: number
}

/** `joins`: number of the live session that the claim is for. */
export type NexusGrant =
  | { readonly tsih: number; readonly reinstated: boolean }
  | { readonly joins: number }
  | { readonly refuse: LoginRefusal }

/** What the registry needs to know of sessions, and to do to them. */
export interface Sessions {
  /** Whether the session's run goes on. */
  isLive(sessionId: number): boolean
  /** Ends the session and waits for its run to end, within bounds; false when it would not. */
  end(sessionId: number, outcome: 'reinstated' | 'dropped' | 'reset', why: string): Promise<boolean>
}

/** What another process of the server needs to know to go on with the same nexuses; plain data. */
export interface NexusEstate {
  readonly nexuses: readonly Nexus[]
  readonly lastTsih: number
  readonly powerOn: readonly (readonly [target: string, nexus: string])[]
}

interface Nexus {
  readonly key: string
  readonly sessionId: number
  readonly tsih: number
}

export class NexusRegistry {
  readonly #sessions: Sessions
  readonly #tsihs = new TsihAllocator()
  readonly #byKey = new Map<string, Nexus>()
  readonly #bySession = new Map<number, Nexus>()
  readonly #byTsih = new Map<number, Nexus>()
  readonly #powerOn = new PowerOnMemory()
  readonly #queues = new Map<string, Promise<unknown>>()

  constructor(sessions: Sessions) {
    this.#sessions = sessions
  }

  /** Live sessions, discovery included. */
  get size(): number {
    return this.#bySession.size
  }

  /** Number of the live session with that TSIH. */
  sessionOf(tsih: number): number | undefined {
    return this.#byTsih.get(tsih)?.sessionId
  }

  /** Name of the initiator port of a live session [7143 §3.4.1]; undefined for a discovery session, and one that has ended. */
  portOf(sessionId: number): { initiatorName: string; port: string } | undefined {
    const key = this.#bySession.get(sessionId)?.key
    if (!key) return undefined
    const [, initiatorName = '', isid = ''] = key.split('\0')
    return { initiatorName, port: `${initiatorName},i,0x${isid}` }
  }

  /** What the nexus of a live session is known by, principal included; undefined for a discovery session, and one that has ended. */
  keyOf(sessionId: number): string | undefined {
    return this.#bySession.get(sessionId)?.key || undefined
  }

  /** Opens a nexus by the rules above. Logins of one nexus are taken one after the other, in the order of their calls. */
  open(claim: NexusClaim): Promise<NexusGrant> {
    const key = nexusKey(claim)
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
    return this.#register({ key: '', sessionId }, false)
  }

  /** Forgets the session; its run has ended. One that never opened a nexus is no error. */
  close(sessionId: number): void {
    const nexus = this.#bySession.get(sessionId)
    if (!nexus) return
    this.#bySession.delete(sessionId)
    this.#byTsih.delete(nexus.tsih)
    this.#tsihs.release(nexus.tsih)
    if (this.#byKey.get(nexus.key) === nexus) this.#byKey.delete(nexus.key)
  }

  /** The session's target was reset as by power on: the next session of its nexus has to be told. */
  poweredOn(sessionId: number): void {
    const key = this.#bySession.get(sessionId)?.key
    if (key) this.#powerOn.remember(targetOf(key), key)
  }

  /** Whether the session, which has just begun, has to be told of a power on; it is asked once. */
  takePowerOn(sessionId: number): boolean {
    const key = this.#bySession.get(sessionId)?.key
    return key ? this.#powerOn.take(targetOf(key), key) : false
  }

  /** The nexuses that there are; no login may be under way. */
  export(): NexusEstate {
    return { nexuses: [...this.#bySession.values()], lastTsih: this.#tsihs.last, powerOn: this.#powerOn.entries() }
  }

  /** Goes on with the nexuses of another process; there are none here yet. */
  import({ nexuses, lastTsih, powerOn }: NexusEstate): void {
    for (const nexus of nexuses) this.#note(nexus)
    this.#tsihs.restore(
      lastTsih,
      nexuses.map(({ tsih }) => tsih),
    )
    for (const [target, nexus] of powerOn) this.#powerOn.remember(target, nexus)
  }

  async #open(key: string, claim: NexusClaim): Promise<NexusGrant> {
    const old = this.#byKey.get(key)
    if (claim.tsih !== 0) return this.#continue(old, claim)
    if (old && !(await this.#end(old, 'session reinstatement [7143 §6.3.5]'))) return { refuse: stuck() }
    if (!this.#sessions.isLive(claim.sessionId)) return { refuse: serviceUnavailable('the connection has gone') }
    return this.#register({ key, sessionId: claim.sessionId }, old !== undefined)
  }

  #continue(old: Nexus | undefined, { tsih }: NexusClaim): NexusGrant {
    if (!old || old.tsih !== tsih) return { refuse: sessionDoesNotExist(`this nexus has no session with TSIH ${tsih}`) }
    return { joins: old.sessionId }
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
    this.#note({ ...nexus, tsih })
    return { tsih, reinstated }
  }

  #note(nexus: Nexus): void {
    this.#bySession.set(nexus.sessionId, nexus)
    this.#byTsih.set(nexus.tsih, nexus)
    if (nexus.key !== '') this.#byKey.set(nexus.key, nexus)
  }
}

function stuck(): LoginRefusal {
  return serviceUnavailable('the old session of this nexus has not ended yet')
}

/** iSCSI names compare in lower case [RFC 3722]; NUL ends a text key's value, so no name can have one. */
export function nexusKey({
  principal,
  initiatorName,
  isid,
  targetName,
}: Omit<NexusClaim, 'sessionId' | 'tsih'>): string {
  return [principal, initiatorName.toLowerCase(), isid, targetName.toLowerCase()].join('\0')
}

function targetOf(key: string): string {
  return key.slice(key.lastIndexOf('\0') + 1)
}
