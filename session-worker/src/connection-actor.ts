/**
 * The actor of one iSCSI connection: ties its state machine, its socket and the phase it is in together, and brings it into its session,
 * which may be its own or one that lives already.
 *
 * The actor's promise (`done`) settles once, when the connection is over: its I/O has settled, and its descriptor and its part of the session
 * are given back. It rejects when a bug of ours ended it, which is what the supervisor takes for the EXIT signal.
 */

import { Borrower, type ConnectionEnd, type ConnectionTask, type LoginRefusal } from '@scsipub/contract'
import { connectionParameters, DEFAULT_OFFER, Framer, LoginStatus, type TargetOffer } from '@scsipub/iscsi'
import { establishUnitAttention, initiatorPortName, senseCodes } from '@scsipub/scsi'
import { type ActorRefFrom, createActor } from 'xstate'
import { Connection } from './connection.js'
import { type ConnectionActions, type ConnectionEvent, connectionMachine } from './connection.machine.js'
import { FullFeature } from './full-feature.js'
import { type LoggedIn, LoginPhase, type NewSession } from './login-phase.js'
import { Lun } from './lun.js'
import { sendPing } from './nop.js'
import { Numbering } from './numbering.js'
import { PduWriter } from './pdu-writer.js'
import type { Services } from './services.js'
import { type Member, Session } from './session.js'
import { SessionLuns } from './session-luns.js'

/** Longest additional headers taken, in bytes: a 260-byte CDB and a bidirectional read length [7143 §11.2.2]. */
const MAX_AHS_BYTES = 264
/** Longest data segment before the login is over [7143 §13.12]. */
const LOGIN_SEGMENT_BYTES = 8192
/** The most that is handed back with a connection, in bytes: initiators wait for the answer to a login request. */
const MAX_HANDED_BACK_BYTES = 64 << 10

/** Connections of one session [7143 §13.2]. */
const MAX_CONNECTIONS = 4

/** Bursts of 1 MiB keep the memory for solicited data small and cost nothing; nothing is kept of a connection that is lost. */
const offer: TargetOffer = {
  ...DEFAULT_OFFER,
  maxBurstLength: 1 << 20,
  maxConnections: MAX_CONNECTIONS,
  defaultTime2Retain: 0,
}

export class ConnectionActor implements ConnectionActions, Member {
  readonly done: Promise<ConnectionEnd>
  readonly task: ConnectionTask
  readonly #services: Services
  readonly #machine: ActorRefFrom<typeof connectionMachine>
  readonly #writer: PduWriter
  #connection: Connection
  #login: LoginPhase | undefined
  #session: Session | undefined
  #phase: FullFeature | undefined
  #asking = false
  #fault: { error: unknown } | undefined
  #resolve!: (end: ConnectionEnd) => void
  #reject!: (error: unknown) => void

  constructor(task: ConnectionTask, services: Services) {
    this.task = task
    this.#services = services
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#machine = createActor(connectionMachine, { input: { connection: this } })
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
    if (task.received !== undefined) this.#connection.feed(Buffer.from(task.received, 'base64'))
  }

  /** Tells the machine. */
  send(event: ConnectionEvent): void {
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

  end(outcome: 'logout' | 'dropped' | 'reinstated' | 'reset', why: string): void {
    this.send({ type: 'connection.end', outcome, why })
  }

  // --- what the machine makes the connection do

  abortTasks(end: ConnectionEnd): void {
    this.#login?.abandon()
    this.#connection.flush()
    this.#connection.destroy()
    this.#giveUpPlace(end)
    // `settled` may come at once; the machine takes it as its next event.
    if (this.#phase) this.#phase.abort()
    else this.send({ type: 'tasks.settled' })
  }

  requestLogout(deadlineMs: number): void {
    this.#phase!.requestLogout(Math.ceil(deadlineMs / 1000))
  }

  finish(end: ConnectionEnd): void {
    this.#connection.flush()
    this.#connection.finish()
    this.#giveUpPlace(end)
  }

  release(): void {
    const leaving = this.#session?.leave(this, this.#phase)
    // A login that waits for this end finds the units free of the session.
    if (leaving !== undefined) void leaving.then(() => this.#settle())
    else this.#settle()
  }

  #settle(): void {
    if (this.#fault) this.#reject(this.#fault.error)
    else this.#resolve(this.#machine.getSnapshot().context.end)
  }

  #giveUpPlace({ outcome }: ConnectionEnd): void {
    this.#session?.giveUpPlace(this, this.#phase !== undefined && (outcome === 'closed' || outcome === 'dropped'))
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
      handBack: (tsih, pdu) => this.#handBack(tsih, pdu),
      find: (tsih, isid) => {
        const session = this.#services.sessions.get(tsih)
        return session?.parameters.isid.equals(isid) ? session : undefined
      },
      join: (tsih, cid) => this.#join(tsih, cid),
      completed: login => this.#enterFullFeature(login),
      refused: why => {
        this.#login = undefined
        this.send({ type: 'login.refused', why })
      },
      drop: why => this.#drop(why),
      crash: error => this.#crash(error),
    }
  }

  /** Lets go of a connection whose first login request names a session: it goes on in that session's worker. */
  #handBack(tsih: number, pdu: Buffer): void {
    this.#asking = true
    // What came behind the request is in the framer when the section has ended.
    queueMicrotask(() => {
      const received = Buffer.concat([pdu, this.#connection.framer.rest()])
      if (received.length > MAX_HANDED_BACK_BYTES) return this.#drop('more than one login request at once [7143 §6.3]')
      this.send({ type: 'login.elsewhere', tsih, received: received.toString('base64') })
    })
  }

  async #join(tsih: number, cid: number): Promise<{ joined: Session } | { refuse: LoginRefusal }> {
    const session = this.#services.sessions.get(tsih)
    if (!session) return { refuse: { ...LoginStatus.sessionDoesNotExist, why: 'the session has ended' } }
    this.#session = session
    const refuse = await session.admit(this, cid)
    return refuse ? { refuse } : { joined: session }
  }

  #enterFullFeature(login: LoggedIn): void {
    const session = 'joined' in login.session ? login.session.joined : this.#begin(login, login.session)
    const parameters = connectionParameters(login.parameters, session.parameters)
    this.#session = session
    this.#phase = new FullFeature(
      {
        session,
        connection: this.#connection,
        writer: this.#writer,
        numbering: new Numbering(session.window, login.statSn),
        counters: this.#services.counters,
        parameters,
        cid: login.cid,
      },
      {
        directory: { list: () => this.#listTargets(parameters.initiatorName) },
        loggedOut: () => this.send({ type: 'logout.answered' }),
        broken: why => this.send({ type: 'stream.broken', why }),
        crash: error => this.#crash(error),
        settled: () => this.send({ type: 'tasks.settled' }),
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

  /** Begins a session with this connection. */
  #begin({ parameters, cid }: LoggedIn, { luns: grants, nexusLost, poweredOn, expCmdSn }: NewSession): Session {
    const services = this.#services
    const { sessions, supervisor } = services
    const { connectionId: sessionId } = this.task
    const borrower = new Borrower(sessionId, initiatorPortName(parameters.initiatorName, parameters.isid))
    const luns = new SessionLuns({
      target: { name: parameters.targetName ?? '', portalGroupTag: offer.portalGroupTag },
      grants,
      make: (grant, target) => new Lun(grant, target, services, borrower),
    })
    for (const { nexus } of luns.byNumber.values()) {
      if (nexusLost) establishUnitAttention(nexus.unitAttentions, senseCodes.itNexusLossOccurred)
      if (poweredOn) establishUnitAttention(nexus.unitAttentions, senseCodes.powerOnOccurred)
    }
    const session = new Session(
      {
        sessionId,
        parameters,
        luns,
        expCmdSn,
        tokenFiles: services.tokenFiles,
        portsOf: async nodes => (await supervisor.ask({ kind: 'nexus.ports', sessionId, nodes: [...nodes] })).ports,
        resetTarget: async () => {
          await supervisor.ask({ kind: 'target.reset', sessionId })
        },
        ended: () => sessions.delete(parameters.tsih),
      },
      this,
      cid,
    )
    sessions.set(parameters.tsih, session)
    return session
  }

  async #listTargets(
    initiatorName: string,
  ): Promise<{ name: string; addresses: { address: string; portalGroupTag: number }[] }[]> {
    const { connectionId, localAddress } = this.task
    const reply = await this.#services.supervisor.ask({
      kind: 'targets.list',
      connectionId,
      initiatorName,
      localAddress,
    })
    return reply.targets
  }

  #drop(why: string): void {
    this.end('dropped', why)
  }

  #guard(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.#crash(error)
    }
  }

  /** Ends the session at once, since what its connections share may be wrong; the supervisor hears of the error. */
  #crash(error: unknown): void {
    this.#fault ??= { error }
    this.#session?.close('dropped', 'a fault of the server')
    this.#drop('a fault of the server')
  }
}
