/**
 * How many may come in: sessions in all and of one party (an IPv4 address, an IPv6 /64), and connections that are not
 * logged in yet beyond that. A session too many is told "service unavailable", which initiators try again; a connection
 * too many is closed without a word.
 *
 * Sessions of the operator's targets are not counted as sessions: strangers cannot keep the operator out. Loopback is
 * no party of the internet; it is capped only where `capLoopback` says so.
 */
import { readFileSync } from 'node:fs'
import type { FreeTierConfig } from '@scsipub/config'
import type { LoginRefusal } from '@scsipub/contract'
import { serviceUnavailable } from './login-status.js'
import { isLoopback, partyOf } from './peer.js'

interface Party {
  connections: number
  sessions: number
}

/** Connections of one party, and of all, that may be there without a session, so that a refusal can be told. */
const LOGINS_BEYOND_CAP = 32
/** Descriptors of a session: ours, the worker's, and the overlay of a disk that has been written to. */
const DESCRIPTORS_PER_SESSION = 3
const DESCRIPTORS_KEPT_FREE = 256

export class Admission {
  readonly maxConnections: number
  readonly #caps: FreeTierConfig
  readonly #parties = new Map<string, Party>()
  #connections = 0
  #sessions = 0

  constructor(caps: FreeTierConfig, maxDescriptors = descriptorLimit()) {
    this.#caps = caps
    const byDescriptors = Math.max(1, Math.floor((maxDescriptors - DESCRIPTORS_KEPT_FREE) / DESCRIPTORS_PER_SESSION))
    this.maxConnections = Math.min(byDescriptors, unlessZero(caps.maxSessions) + LOGINS_BEYOND_CAP)
  }

  get connections(): number {
    return this.#connections
  }

  /** Counts a connection in; false, with nothing counted, when there are too many. `disconnect` undoes it. */
  connect(address: string): boolean {
    if (this.#connections >= this.maxConnections) return false
    const key = partyOf(address)
    const party = this.#parties.get(key) ?? { connections: 0, sessions: 0 }
    if (party.connections >= this.#partyCap(address) + LOGINS_BEYOND_CAP) return false
    party.connections++
    this.#connections++
    this.#parties.set(key, party)
    return true
  }

  /** Counts a connection in that another process of the server had let in, and its session where it is `admitted`; nobody is refused. */
  readmit(address: string, admitted: boolean): void {
    const key = partyOf(address)
    const party = this.#parties.get(key) ?? { connections: 0, sessions: 0 }
    this.#parties.set(key, party)
    party.connections++
    this.#connections++
    if (!admitted) return
    party.sessions++
    this.#sessions++
  }

  disconnect(address: string): void {
    const key = partyOf(address)
    const party = this.#parties.get(key)
    if (!party) return
    this.#connections--
    party.connections--
    this.#tidy(key, party)
  }

  /** Counts a session of a connected party in; a refusal, with nothing counted, when there are too many. */
  admit(address: string): LoginRefusal | undefined {
    const party = this.#parties.get(partyOf(address))
    if (!party || this.#sessions >= unlessZero(this.#caps.maxSessions)) return serviceUnavailable('too many sessions')
    if (party.sessions >= this.#partyCap(address)) return serviceUnavailable('too many sessions of one address')
    party.sessions++
    this.#sessions++
    return undefined
  }

  /** Counts a session out; before `disconnect`. */
  leave(address: string): void {
    const party = this.#parties.get(partyOf(address))
    if (!party) return
    party.sessions--
    this.#sessions--
  }

  /** Counts in what a session has left behind, whatever the caps say. */
  keep(address: string): void {
    const key = partyOf(address)
    const party = this.#parties.get(key) ?? { connections: 0, sessions: 0 }
    this.#parties.set(key, party)
    party.sessions++
    this.#sessions++
  }

  /** Undoes `keep`. */
  letGo(address: string): void {
    this.leave(address)
    const key = partyOf(address)
    const party = this.#parties.get(key)
    if (party) this.#tidy(key, party)
  }

  #tidy(key: string, { connections, sessions }: Party): void {
    if (connections === 0 && sessions === 0) this.#parties.delete(key)
  }

  #partyCap(address: string): number {
    if (isLoopback(address) && !this.#caps.capLoopback) return Number.POSITIVE_INFINITY
    return unlessZero(this.#caps.maxSessionsPerAddress)
  }
}

function unlessZero(cap: number): number {
  return cap === 0 ? Number.POSITIVE_INFINITY : cap
}

/** Descriptors that this process may have open. Node raises the soft limit to the hard one when it starts. */
function descriptorLimit(): number {
  const match = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
  return match?.[1] === undefined || match[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(match[1])
}
