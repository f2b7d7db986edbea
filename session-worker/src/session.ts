/**
 * The actor of one iSCSI session: ties its state machine, its connection and the phase it is in together.
 *
 * The actor's promise (`done`) settles once, when the session is over: its I/O has settled, its volumes and its descriptor are given
 * back. It rejects when a bug of ours ended it, which is what the supervisor takes for the EXIT signal.
 */

import type { EngineNotice, SessionEnd, SessionTask } from '@scsipub/contract'
import { AsyncEvent, asyncMessage, DEFAULT_OFFER, Framer, type TargetOffer } from '@scsipub/iscsi'
import { establishUnitAttention, senseCodes } from '@scsipub/scsi'
import { type ActorRefFrom, createActor } from 'xstate'
import { Connection } from './connection.js'
import { FullFeature } from './full-feature.js'
import { LoginPhase, type OpenedSession } from './login-phase.js'
import { Lun } from './lun.js'
import { sendPing } from './nop.js'
import { Numbering } from './numbering.js'
import { PduWriter } from './pdu-writer.js'
import type { Services } from './services.js'
import { type SessionActions, type SessionEvent, sessionMachine } from './session.machine.js'

/** Longest additional headers taken, in bytes: a 260-byte CDB and a bidirectional read length [7143 §11.2.2]. */
const MAX_AHS_BYTES = 264
/** Longest data segment before the login is over [7143 §13.12]. */
const LOGIN_SEGMENT_BYTES = 8192

/** Bursts of 1 MiB keep the memory for solicited data small and cost nothing; nothing is kept of a connection that is lost. */
const offer: TargetOffer = { ...DEFAULT_OFFER, maxBurstLength: 1 << 20, defaultTime2Retain: 0 }

type UnitAttentionNotice = Extract<EngineNotice, { kind: 'unit.attention' }>

export class Session implements SessionActions {
  readonly done: Promise<SessionEnd>
  readonly task: SessionTask
  readonly #services: Services
  readonly #machine: ActorRefFrom<typeof sessionMachine>
  readonly #writer: PduWriter
  #connection: Connection
  #login: LoginPhase | undefined
  #phase: FullFeature | undefined
  #asking = false
  #fault: { error: unknown } | undefined
  #resolve!: (end: SessionEnd) => void
  #reject!: (error: unknown) => void

  constructor(task: SessionTask, services: Services) {
    this.task = task
    this.#services = services
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#machine = createActor(sessionMachine, { input: { session: this } })
    this.#machine.start()
    const framer = new Framer({ maxDataSegmentLength: LOGIN_SEGMENT_BYTES, maxAhsLength: 0 })
    this.#connection = new Connection(task.fd, services.output, framer, {
      pdu: (buffer, head, dataAt, length, digestOk) => this.#pdu(buffer, head, dataAt, length, digestOk),
      drained: () => this.#guard(() => this.#phase?.drained()),
      ended: why => this.send({ type: 'socket.closed', why }),
    })
    this.#writer = new PduWriter(this.#connection, services.output)
    this.#login = new LoginPhase(
      { task, offer, supervisor: services.supervisor, writer: this.#writer },
      this.#loginHost(),
    )
  }

  /** Tells the machine. */
  send(event: SessionEvent): void {
    this.#machine.send(event)
  }

  /** A look at the clock, see `Liveness`. */
  tick(nowMs: number): void {
    const phase = this.#phase
    if (!phase || this.#machine.getSnapshot().status !== 'active') return
    const verdict = phase.liveness.check(nowMs, this.#connection.lastInputMs)
    if (verdict === 'gone') return this.#drop('the initiator answers no more')
    if (verdict === 'nothing') return
    sendPing(phase)
    this.#connection.flush()
  }

  /** See `FullFeature.volumeAborted`; `sessionId` is the session that asked for it. */
  async volumeAborted({
    volumeId,
    reset,
    sessionId,
  }: {
    volumeId: string
    reset: boolean
    sessionId: number
  }): Promise<void> {
    await this.#phase?.volumeAborted({ volumeId, reset, own: sessionId === this.task.sessionId })
    this.#connection.flush()
  }

  /** A session (`sessionId`, 0: none) has done what all others on the volume have to be told of. */
  unitAttention(what: UnitAttentionNotice): void {
    if (what.sessionId !== this.task.sessionId) this.#phase?.unitAttention(what)
  }

  // --- what the machine makes the session do

  abortTasks(): void {
    this.#connection.flush()
    this.#connection.destroy()
    // `settled` may come at once; the machine takes it as its next event.
    if (this.#phase) this.#phase.abort()
    else this.send({ type: 'tasks.settled' })
  }

  requestLogout(deadlineMs: number): void {
    const phase = this.#phase!
    const message = asyncMessage.encode({
      asyncEvent: AsyncEvent.logoutRequest,
      parameter3: Math.ceil(deadlineMs / 1000),
      ...phase.numbering.response(),
    })
    this.#writer.whole(message, Buffer.alloc(0))
    this.#connection.flush()
  }

  finish(): void {
    this.#connection.flush()
    this.#connection.finish()
  }

  release(): void {
    for (const lun of this.#phase?.luns.values() ?? []) lun.volume.release()
    if (this.#fault) this.#reject(this.#fault.error)
    else this.#resolve(this.#machine.getSnapshot().context.end)
  }

  // --- what the phases tell

  #pdu(buffer: Buffer, head: number, dataAt: number, length: number, digestOk: boolean): boolean {
    try {
      if (this.#phase) return this.#phase.pdu(buffer, head, dataAt, length, digestOk)
      this.#login?.pdu(buffer, head, dataAt, length)
      return !this.#asking
    } catch (error) {
      this.#crash(error)
      return false
    }
  }

  #loginHost(): ConstructorParameters<typeof LoginPhase>[1] {
    return {
      asked: () => {
        this.#asking = true
      },
      answered: () => {
        this.#asking = false
        this.#connection.flush()
        this.#connection.resume()
      },
      completed: opened => this.#enterFullFeature(opened),
      refused: why => {
        this.#login = undefined
        this.send({ type: 'login.refused', why })
      },
      drop: why => this.#drop(why),
      crash: error => this.#crash(error),
    }
  }

  #enterFullFeature(opened: OpenedSession): void {
    const { parameters } = opened
    const target = {
      name: parameters.targetName ?? '',
      portalGroupTag: offer.portalGroupTag,
      luns: opened.luns.map(grant => grant.lun),
    }
    const owner = { id: this.task.sessionId, services: this.#services }
    const luns = new Map(opened.luns.map(grant => [grant.lun, new Lun(grant, target, owner)]))
    if (opened.nexusLost) {
      for (const lun of luns.values()) establishUnitAttention(lun.nexus.unitAttentions, senseCodes.itNexusLossOccurred)
    }
    this.#phase = new FullFeature(
      {
        connection: this.#connection,
        writer: this.#writer,
        numbering: new Numbering(opened.expCmdSn, opened.statSn),
        parameters,
        target,
        luns,
        cid: opened.cid,
      },
      {
        directory: { list: () => this.#listTargets(parameters.initiatorName) },
        loggedOut: () => this.send({ type: 'logout.answered' }),
        broken: why => this.send({ type: 'stream.broken', why }),
        crash: error => this.#crash(error),
        settled: () => this.send({ type: 'tasks.settled' }),
        abortEverywhere: async ({ volumeId }, reset) => {
          await this.#services.engine.ask({ kind: 'volume.abort', volumeId, sessionId: this.task.sessionId, reset })
        },
      },
    )
    this.#login = undefined
    this.#connection.flush() // the last login response has no digest [7143 §6.2]
    this.#connection.framer.limits = {
      maxDataSegmentLength: parameters.targetMaxRecvDataSegmentLength,
      maxAhsLength: MAX_AHS_BYTES,
    }
    const digests = { header: parameters.headerDigest, data: parameters.dataDigest }
    this.#connection.framer.setDigests(digests)
    this.#writer.setDigests(digests)
    this.send({ type: 'login.completed' })
  }

  async #listTargets(
    initiatorName: string,
  ): Promise<{ name: string; addresses: { address: string; portalGroupTag: number }[] }[]> {
    const { sessionId, localAddress } = this.task
    const reply = await this.#services.supervisor.ask({ kind: 'targets.list', sessionId, initiatorName, localAddress })
    return reply.targets
  }

  #drop(why: string): void {
    this.send({ type: 'session.end', outcome: 'dropped', why })
  }

  #guard(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.#crash(error)
    }
  }

  /** Ends the session at once; whatever it held is given back, and the supervisor hears of the error. */
  #crash(error: unknown): void {
    this.#fault ??= { error }
    this.#drop('a fault of the server')
  }
}
