/**
 * What the old process of an upgrade leaves to the new one, and what the two say to each other:
 *
 *   old                                        new
 *     terms ──────────────────────────────────▶  its configuration, code and threads are checked, booted
 *     ◀──────────────────────────────── ready
 *     stops accepting; sessions and engine rest
 *     descriptors, estate ────────────────────▶  volumes are opened, sessions taken in; nothing is read, sent or written
 *     ◀────────────────────────────── adopted
 *     go ─────────────────────────────────────▶  sessions go on, the sockets are listened on
 *     ◀────────────────────────────── serving
 *     leaves
 *
 * Until it says *go*, the old process can go on with everything, and does so when the new one ends, or takes too long. From then on the new one alone has it.
 *
 * All of it is plain data. FORMAT changes whenever an older or newer version of the server could misunderstand any of it, what the storage engine and session
 * workers leave included: two versions with different numbers cannot follow each other in place.
 */
import type { EngineExport } from '@scsipub/contract'
import type { ChapJudge } from '../chap-judge.js'
import type { KeptEstate } from '../crash/kept-disks.js'
import type { PoisonEstate } from '../crash/poison.js'
import type { PenaltyEstate } from '../login-penalty.js'
import type { NexusEstate } from '../nexus-registry.js'
import type { LinkMessage } from './link.js'
import type { SessionsEstate } from './sessions-estate.js'

export const FORMAT = 3

/** What has to be the same in both, as their configurations have it. */
export interface Terms {
  readonly dataDir: string
  readonly iqnPrefix: string
  /** Of the state store; '' for the embedded one. */
  readonly stateUrl: string
}

/** First word of the old process. `listen`: for what it has sockets, by the addresses that its configuration has. */
export interface TermsMessage extends LinkMessage {
  readonly kind: 'terms'
  readonly format: number
  readonly terms: Terms
  readonly listen: { readonly iscsi: string; readonly http: string }
}

export interface ReadyMessage extends LinkMessage {
  readonly kind: 'ready'
  readonly pid: number
  readonly version: string
}

/** Numbers of descriptors are those of the process that reads them. */
export interface Estate {
  readonly sockets: { readonly iscsi: number; readonly http: number }
  /** Holds the data directory. */
  readonly lockFd: number
  readonly engine: EngineExport
  readonly nexuses: NexusEstate
  readonly proofs: ReturnType<ChapJudge['export']>
  readonly penalties: { readonly logins: PenaltyEstate; readonly http: PenaltyEstate }
  /** Sessions of leases, also some that have ended and that their leases have not let go of yet. */
  readonly attached: readonly (readonly [sessionId: number, leaseId: string])[]
  readonly sessions: SessionsEstate
  /** Anonymous disks that wait for their initiators. */
  readonly kept: readonly KeptEstate[]
  /** Who is refused for having met with faults of ours, or soon may be. */
  readonly poison: readonly PoisonEstate[]
}

export interface EstateMessage extends LinkMessage {
  readonly kind: 'estate'
  readonly estate: Estate
}

/** What came of an upgrade. */
export interface UpgradeReport {
  readonly from: { readonly pid: number; readonly version: string }
  readonly to: { readonly pid: number; readonly version: string }
  /** Sessions that went on without noticing. */
  readonly moved: number
  /** Sessions that were asked to log in again. */
  readonly askedToLogInAgain: number
  /** How long sessions stood still, in milliseconds: until the new process was told to go on. */
  readonly pauseMs: number
  /** How long logins and HTTP calls waited at most. */
  readonly loginPauseMs: number
}
