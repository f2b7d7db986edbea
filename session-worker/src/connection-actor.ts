/**
 * The actor of one iSCSI connection: ties its state machine, its socket and the phase it is in together, and brings it into its session,
 * which may be its own or one that lives already.
 *
 * The actor's promise (`done`) settles once, when the connection is over: its I/O has settled, and its descriptor and its part of the session
 * are given back. It rejects when a bug of ours ended it, which is what the supervisor takes for the EXIT signal.
 */

import type {
  ConnectionEnd,
  ConnectionRecord,
  ConnectionTask,
  LoginRefusal,
  PhaseRecord,
  TargetListing,
} from '@scsipub/contract'
import { connectionParameters, Framer, LoginStatus } from '@scsipub/iscsi'
import { bytesRead } from '@scsipub/posix'
import { type ActorRefFrom, createActor } from 'xstate'
import { beginSession } from './begin-session.js'
import { Connection } from './connection.js'
import {
  type ConnectionActions,
  type ConnectionEvent,
  connectionMachine,
  LOGIN_TIMEOUT_MS,
  servingState,
} from './connection.machine.js'
import { FullFeature } from './full-feature.js'
import { LOGIN_SEGMENT_BYTES, MAX_AHS_BYTES, MAX_HANDED_BACK_BYTES, offer } from './limits.js'
import { type LoggedIn, LoginPhase } from './login-phase.js'
import { sendPing } from './nop.js'
import { Numbering } from './numbering.js'
import { PduWriter } from './pdu-writer.js'
import type { Services } from './services.js'
import type { Member, Session } from './session.js'

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
  /** Questions of the login that are open: the answer to one may lead to the next. */
  #asking = 0
  #fault: { error: unknown } | undefined
  #resolve!: (end: ConnectionEnd) => void
  #reject!: (error: unknown) => void

  /** `adopted`: it goes on where another worker has left it, once it is told to (`goOn`). */
  constructor(task: ConnectionTask, services: Services, adopted?: ConnectionRecord) {
    this.task = task
    this.#services = services
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    const login = adopted && 'login' in adopted.stage ? adopted.stage.login : undefined
    const input = { connection: this, loginMs: login?.remainingMs ?? LOGIN_TIMEOUT_MS }
    const snapshot = adopted && !login ? { snapshot: servingState(this) } : {}
    this.#machine = createActor(connectionMachine, { input, ...snapshot })
    this.#machine.start()
    const framer = new Framer({ maxDataSegmentLength: LOGIN_SEGMENT_BYTES, maxAhsLength: 0 })
    const events = {
      pdu: (buffer: Buffer, head: number, dataAt: number, length: number, digestOk: boolean) =>
        this.#pdu(buffer, head, dataAt, length, digestOk),
      settled: () => this.#session?.settled(),
      drained: () => this.#guard(() => this.#drained()),
      ended: (why: string) => this.send({ type: 'socket.closed', why }),
    }
    this.#connection = new Connection(task.fd, services.output, framer, events, adopted !== undefined)
    this.#writer = new PduWriter(this.#connection, services.output)
    this.#login = new LoginPhase(
      { task, offer, supervisor: services.supervisor, writer: this.#writer, limitMs: input.loginMs },
      this.#loginHost(),
    )
    if (adopted) return
    if (task.received !== undefined) this.#connection.feed(Buffer.from(task.received, 'base64'))
  }

  /** Tells the machine. */
  send(event: ConnectionEvent): void {
    this.#machine.send(event)
  }

  /** A look at the clock, see `Liveness`. */
  tick(nowMs: number): void {
    this.#connection.forgetSent()
    const phase = this.#phase
    if (!phase || this.#machine.getSnapshot().status !== 'active') return
    phase.session.settled()
    const verdict = phase.liveness.check(nowMs, this.#connection.lastInputMs)
    if (verdict === 'gone') return this.#drop('the initiator answers no more')
    if (verdict === 'nothing') return
    sendPing(phase)
    this.#connection.flush()
    phase.session.settled()
  }

  end(outcome: 'logout' | 'dropped' | 'reinstated' | 'reset', why: string): void {
    this.send({ type: 'connection.end', outcome, why })
  }

  // --- what the machine makes the connection do

  abortTasks(end: ConnectionEnd): void {
    this.#login?.abandon()
    this.#connection.flush()
    this.#close()
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

  // --- from worker to worker, see `hand-over/`

  get session(): Session | undefined {
    return this.#session
  }

  /** Why it cannot be given to another worker at this moment; undefined when it can. */
  get obstacle(): string | undefined {
    if (!this.#machine.getSnapshot().can({ type: 'connection.handedOver' })) return 'a connection is ending'
    return this.#asking > 0 ? 'a login waits for an answer' : this.#phase?.obstacle
  }

  /** Reads nothing more, and begins nothing, until `letGo`. */
  hold(): void {
    this.#connection.hold()
  }

  /** Goes on after `hold`, with `received` as if it had just come. */
  letGo(received: Buffer = Buffer.alloc(0)): void {
    this.#guard(() => {
      this.#connection.letGo()
      if (this.#phase) this.#phase.drained()
      else if (this.#asking === 0) this.#connection.resume()
      if (received.length > 0) this.#connection.feed(received)
      this.#connection.readOn()
      this.#phase?.session.settled() // who has nothing to say is at rest from now on
    })
  }

  /** What another worker needs to go on; there must be no `obstacle`. */
  record(): ConnectionRecord {
    const { connectionId, localAddress, remoteAddress, received } = this.task
    const stage = this.#login
      ? { login: { ...this.#login.record(), handedBack: received !== undefined } }
      : { phase: this.#phase!.record() }
    return { connectionId, localAddress, remoteAddress, ...this.#connection.record(), stage }
  }

  leaveBehind(end: ConnectionEnd): void {
    this.#close()
    this.#settle(end)
  }

  /** Stands where another worker has left it: in the full feature phase of `session`, whose tasks are restored later, or where `talk` leads. */
  restore({ stage }: ConnectionRecord, session: Session | undefined): FullFeature | undefined {
    if ('login' in stage) this.#login!.repeat(stage.login.talk)
    if ('login' in stage || !session) return undefined
    return this.#resumePhase(session, stage.phase)
  }

  /** Gives the socket what another worker's could not send. */
  sendRest({ unsent }: ConnectionRecord): void {
    if (unsent.length > 0) this.#connection.send(Buffer.from(unsent))
  }

  #resumePhase(session: Session, record: PhaseRecord): FullFeature {
    this.#session = session
    const parameters = connectionParameters({ ...session.parameters, ...record.own }, session.parameters)
    const phase = this.#serve(session, { parameters, cid: record.cid, statSn: record.statSn })
    phase.restore(record)
    return phase
  }

  #drained(): void {
    this.#phase?.drained()
    this.#phase?.session.settled()
  }

  /** From now on it says how it stands, for the case that the worker dies. */
  #begins(session: Session): void {
    const cell = this.#services.standings.cells.take(this.task.connectionId)
    cell.begin(bytesRead(this.task.fd) ?? Number.NaN)
    this.#connection.cell = cell
    session.changed()
  }

  /** Closes the descriptor, and says nothing any more. */
  #close(): void {
    const { cell } = this.#connection
    if (cell) this.#services.standings.cells.give(cell)
    this.#connection.cell = undefined
    this.#connection.destroy()
  }

  #settle(end = this.#machine.getSnapshot().context.end): void {
    if (this.#fault) this.#reject(this.#fault.error)
    else this.#resolve(end)
  }

  #giveUpPlace({ outcome }: ConnectionEnd): void {
    this.#session?.giveUpPlace(this, this.#phase !== undefined && (outcome === 'closed' || outcome === 'dropped'))
  }

  // --- what the phases tell

  #pdu(buffer: Buffer, head: number, dataAt: number, length: number, digestOk: boolean): boolean {
    try {
      if (this.#phase) return this.#phase.pdu(buffer, head, dataAt, length, digestOk)
      this.#login?.pdu(buffer, head, dataAt, length)
      return this.#asking === 0
    } catch (error) {
      this.#crash(error)
      return false
    }
  }

  #loginHost(): ConstructorParameters<typeof LoginPhase>[1] {
    return {
      asked: () => {
        this.#asking++
      },
      answered: () => {
        this.#asking--
        this.#connection.flush()
        if (this.#asking === 0) this.#connection.resume()
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
    this.#asking++
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
    const session = 'joined' in login.session ? login.session.joined : beginSession(this, login, this.#services)
    const parameters = connectionParameters(login.parameters, session.parameters)
    this.#session = session
    this.#serve(session, { ...login, parameters })
    this.send({ type: 'login.completed' })
  }

  #serve(session: Session, { parameters, cid, statSn }: Pick<LoggedIn, 'parameters' | 'cid' | 'statSn'>): FullFeature {
    const phase = new FullFeature(
      {
        session,
        connection: this.#connection,
        writer: this.#writer,
        numbering: new Numbering(session.window, statSn),
        counters: this.#services.counters,
        parameters,
        cid,
      },
      {
        directory: { list: () => listTargets(this.task, this.#services, parameters.initiatorName) },
        loggedOut: () => this.send({ type: 'logout.answered' }),
        broken: why => this.send({ type: 'stream.broken', why }),
        crash: error => this.#crash(error),
        settled: () => this.send({ type: 'tasks.settled' }),
      },
    )
    this.#phase = phase
    this.#login = undefined
    this.#connection.flush() // the last login response has no digest [7143 §6.2]
    this.#connection.framer.limits = {
      maxDataSegmentLength: parameters.targetMaxRecvDataSegmentLength,
      maxAhsLength: MAX_AHS_BYTES,
    }
    const digests = { header: parameters.headerDigest, data: parameters.dataDigest }
    this.#connection.framer.setDigests(digests)
    this.#writer.setDigests(digests)
    this.#begins(session)
    return phase
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

async function listTargets(
  { connectionId, localAddress }: ConnectionTask,
  { supervisor }: Services,
  initiatorName: string,
): Promise<TargetListing[]> {
  return (await supervisor.ask({ kind: 'targets.list', connectionId, initiatorName, localAddress })).targets
}
