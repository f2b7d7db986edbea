/**
 * Lets the server rest, so that another process can go on with what it has: nobody comes in, nothing is changed, sessions and storage engine stand still; what comes
 * meanwhile waits in the sockets. `wake` undoes all of it, in the reverse order, and so does a step that fails.
 */
import type { Access } from '../access.js'
import type { Engine } from '../engine.js'
import type { HttpListener } from '../http/http-listener.js'
import type { Leases } from '../leases/leases.js'
import type { Listener } from '../listener.js'
import type { Log } from '../log.js'
import type { LoginPenalty } from '../login-penalty.js'
import type { Logins } from '../logins.js'
import type { NexusRegistry } from '../nexus-registry.js'
import { settledWithin } from '../settled-within.js'
import type { Estate } from './estate.js'
import { RestingSessions, type RestingSessionsParts } from './resting-sessions.js'

export interface RestParts extends RestingSessionsParts {
  readonly listener: Pick<Listener, 'hold' | 'resume'>
  readonly http: Pick<HttpListener, 'hold' | 'resume'>
  readonly leases: Pick<Leases, 'hold' | 'attached'>
  readonly engine: Pick<Engine, 'export' | 'resume'>
  readonly registry: Pick<NexusRegistry, 'export'>
  readonly access: Pick<Access, 'export'>
  readonly logins: Pick<Logins, 'kept' | 'poison'>
  readonly penalties: { readonly logins: LoginPenalty; readonly http: LoginPenalty }
  /** Of session workers. */
  readonly restarts: { readonly running: readonly number[] | undefined }
  /** Keeps them from beginning. */
  readonly pause: { resting: boolean }
  readonly log: Log
}

/** A server that rests. */
export interface Resting {
  readonly estate: Estate
  /** All open files that the estate names. */
  readonly descriptors: readonly number[]
  readonly moved: number
  readonly askedToLogInAgain: number
  /** When it began to rest, by `performance.now()`. */
  readonly sinceMs: number
  /** Goes on. Rejects when that cannot be. */
  wake(): Promise<void>
}

/** How long leases may take to finish what is being done with them. */
const LEASES_MS = 5_000
/** The same for sessions that have just come or gone; all others stand still meanwhile. */
const LOGINS_MS = 2_000

/** Rejects with one line when something does not come to rest; all goes on then. */
export async function rest(parts: RestParts): Promise<Resting> {
  const undo: (() => unknown)[] = []
  const wake = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    if (parts.restarts.running) throw new Error('session workers are being restarted; wait until that is over')
    parts.pause.resting = true
    undo.push(() => {
      parts.pause.resting = false
    })
    const iscsi = parts.listener.hold()
    undo.push(() => parts.listener.resume(iscsi))
    const http = await parts.http.hold()
    undo.push(() => parts.http.resume(http))
    const { quiet, letGo } = parts.leases.hold()
    undo.push(letGo)
    await within(LEASES_MS, 'leases are being changed', quiet())
    const sinceMs = performance.now()
    const sessions = await RestingSessions.of(parts)
    undo.push(() => sessions.wake())
    // Who logged in or out until then: a login that waited would keep its session busy, and one that left would stay attached in the new process.
    await within(LOGINS_MS, 'a session is coming or going', quiet())
    undo.push(parts.logins.kept.hold())
    undo.push(() => parts.engine.resume())
    const { state, lockFd } = await parts.engine.export()
    const estate: Estate = {
      sockets: { iscsi, http },
      lockFd,
      engine: state,
      nexuses: parts.registry.export(),
      proofs: parts.access.export(),
      penalties: { logins: parts.penalties.logins.export(), http: parts.penalties.http.export() },
      attached: parts.leases.attached(),
      sessions: await sessions.estate(),
      kept: parts.logins.kept.export(),
      poison: parts.logins.poison,
    }
    const { size: moved, askedToLogInAgain } = sessions
    parts.log.info({ event: 'server.rests', sessions: moved, askedToLogInAgain })
    const descriptors = [iscsi, http, lockFd, ...sessions.descriptors]
    return { estate, descriptors, moved, askedToLogInAgain, sinceMs, wake }
  } catch (error) {
    await wake()
    throw error
  }
}

/** Rejects with `why` when it takes longer than that. */
async function within(ms: number, why: string, what: Promise<unknown>): Promise<void> {
  if (!(await settledWithin(what, ms))) throw new Error(`${why}, for longer than ${ms / 1000} s`)
}
