/**
 * The full feature phase of one connection: takes PDUs, gives requests to the session's command order, and keeps the tasks that came by this
 * connection. [7143 §4.2.2, §8]
 *
 * What a PDU means stands in the file of its kind; this one owns what they share: StatSN, tasks, transfer tags, and the I/O that must
 * have settled before the connection's end. What all connections share is in `session.ts`.
 */
import type { PhaseRecord, WorkerCounters } from '@scsipub/contract'
import {
  AsyncEvent,
  asyncMessage,
  header,
  logoutRequest,
  Opcode,
  opcodeName,
  RESERVED_TAG,
  RejectReason,
  type SessionParameters,
} from '@scsipub/iscsi'
import { type Context, establishUnitAttention, senseCodes, type Target } from '@scsipub/scsi'
import type { Task } from './command.js'
import type { CommandOrder } from './command-order.js'
import type { Connection } from './connection.js'
import { dataOutPdu } from './data-out.js'
import { Liveness } from './liveness.js'
import { logoutPdu } from './logout.js'
import type { Lun } from './lun.js'
import { nopOutPdu } from './nop.js'
import type { Numbering } from './numbering.js'
import type { PduWriter } from './pdu-writer.js'
import { reject } from './reject.js'
import { scsiCommandPdu } from './scsi-command.js'
import type { Session } from './session.js'
import { taskManagementPdu } from './task-management.js'
import { TaskSet, type TaskSetHost } from './task-set.js'
import { type Directory, TextPhase } from './text-phase.js'

/** What the connection's actor does for its full feature phase. */
export interface FullFeatureHost extends Omit<TaskSetHost, 'flush'> {
  /** The connection was logged out, and the initiator was answered. */
  loggedOut(): void
  /** Bytes were lost, so that nothing sensible can follow; the initiator was told. */
  broken(why: string): void
  readonly directory: Directory
}

export class FullFeature {
  readonly tasks: TaskSet
  readonly order: CommandOrder
  readonly text: TextPhase
  readonly liveness = new Liveness()
  /** Longest data segment that the initiator takes, in bytes; it may declare another one at any time [7143 §13.12]. */
  maxRecvDataSegmentLength: number
  readonly #host: FullFeatureHost
  #sleepers: Task[] = []
  #transferTag = 0
  #stopped = false

  readonly session: Session
  readonly connection: Connection
  readonly writer: PduWriter
  readonly numbering: Numbering
  readonly counters: WorkerCounters
  /** Those of the session, with what was agreed on for this connection. */
  readonly parameters: SessionParameters
  readonly target: Target
  readonly luns: ReadonlyMap<number, Lun>
  /** Connection ID, for Logout. */
  readonly cid: number

  constructor(
    parts: Pick<FullFeature, 'session' | 'connection' | 'writer' | 'numbering' | 'counters' | 'parameters' | 'cid'>,
    host: FullFeatureHost,
  ) {
    const { session } = parts
    this.session = session
    this.connection = parts.connection
    this.writer = parts.writer
    this.numbering = parts.numbering
    this.counters = parts.counters
    this.parameters = parts.parameters
    this.target = session.target
    this.luns = session.luns
    this.order = session.order
    this.cid = parts.cid
    this.maxRecvDataSegmentLength = parts.parameters.maxRecvDataSegmentLength
    this.#host = host
    this.tasks = new TaskSet(session.window, session.budget, {
      flush: () => {
        this.connection.flush()
        this.session.settled()
      },
      crash: error => host.crash(error),
      settled: () => host.settled(),
    })
    this.text = new TextPhase(this, host.directory)
    session.phases.push(this)
  }

  /** Takes nothing more: logged out, lost, or about to be. */
  get stopped(): boolean {
    return this.#stopped
  }

  get discovery(): boolean {
    return this.parameters.sessionType === 'discovery'
  }

  /** A PDU off the wire, see `FramerSink`. Returns false when the connection should not be read for now. */
  pdu(buffer: Buffer, head: number, dataAt: number, length: number, digestOk: boolean): boolean {
    if (this.#stopped) return true
    const opcode = header.get.opcode(buffer, head)
    if (!digestOk) this.#wrongDigest(opcode, buffer, head)
    else if (opcode === Opcode.dataOut) this.dataOut(buffer, head, dataAt, length)
    else if (!isNumbered(opcode)) reject(this, refusalOf(opcode), buffer, head)
    else if (header.get.immediate(buffer, head)) this.#request(opcode, buffer, head, dataAt, length)
    else this.order.take(this, cmdSnOf(buffer, head), buffer, head, dataAt, length)
    return this.#sleepers.length === 0 && !this.connection.congested
  }

  /** A request whose turn has come, see `CommandOrder`. */
  carryOut(buffer: Buffer, head: number, dataAt: number, length: number): void {
    this.#request(header.get.opcode(buffer, head), buffer, head, dataAt, length)
  }

  dataOut(buffer: Buffer, head: number, dataAt: number, length: number): void {
    dataOutPdu(this, buffer, head, dataAt, length)
  }

  #request(opcode: number, buffer: Buffer, head: number, dataAt: number, length: number): void {
    const { tasks } = this
    if (this.session.task(header.get.initiatorTaskTag(buffer, head))) {
      return reject(this, RejectReason.taskInProgress, buffer, head)
    }
    if (this.discovery && (opcode === Opcode.scsiCommand || opcode === Opcode.taskManagementRequest)) {
      return reject(this, RejectReason.commandNotSupported, buffer, head) // only Text and Logout are for discovery [7143 §4.3]
    }
    if (!tasks.takesImmediate && header.get.immediate(buffer, head)) {
      return reject(this, RejectReason.immediateCommandReject, buffer, head)
    }
    switch (opcode) {
      case Opcode.scsiCommand:
        return scsiCommandPdu(this, buffer, head, dataAt, length)
      case Opcode.nopOut:
        return nopOutPdu(this, buffer, head, dataAt, length)
      case Opcode.taskManagementRequest:
        return taskManagementPdu(this, buffer, head)
      case Opcode.textRequest:
        return this.text.pdu(buffer, head, dataAt, length)
      case Opcode.logoutRequest:
        return logoutPdu(this, buffer, head)
    }
  }

  /** At ErrorRecoveryLevel 0 a lost PDU cannot be asked for again: it is rejected, and the connection ends [7143 §7.8, §7.1.5]. */
  #wrongDigest(opcode: number, buffer: Buffer, head: number): void {
    reject(this, RejectReason.dataDigestError, buffer, head)
    this.stop(() => this.#host.broken(`data digest of a ${opcodeName(opcode)} PDU is wrong`))
  }

  /** Facts for commands to a LUN that does not exist. */
  absent(lun: number): Context {
    return { lu: undefined, lun, target: this.target, nexus: { unitAttentions: [] } }
  }

  takeTransferTag(): number {
    this.#transferTag = (this.#transferTag + 1) >>> 0
    if (this.#transferTag === RESERVED_TAG) this.#transferTag = 1
    return this.#transferTag
  }

  /** The task goes on when the connection has drained. */
  sleep(task: Task): void {
    this.tasks.keep(task)
    this.#sleepers.push(task)
  }

  /** The connection has room again. */
  drained(): void {
    const sleepers = this.#sleepers
    this.#sleepers = []
    for (const task of sleepers) {
      if (task.aborted) continue
      if (this.connection.congested) this.#sleepers.push(task)
      else task.run()
    }
    this.connection.flush()
    if (this.#sleepers.length === 0) this.connection.resume()
  }

  /** Why it cannot be given to another worker at this moment; undefined when it can. */
  get obstacle(): string | undefined {
    if (this.#stopped) return 'a connection is ending'
    if (this.tasks.busy) return 'I/O is under way'
    return this.tasks.list().every(task => task.record) ? undefined : 'a task cannot be moved'
  }

  /** What another worker needs to go on; there must be no `obstacle`. */
  record(): PhaseRecord {
    const sleepers = this.#sleepers.filter(task => !task.aborted)
    const tasks = [...this.tasks.list().filter(task => !sleepers.includes(task)), ...sleepers]
    return { ...this.standing(), text: this.text.record(), tasks: tasks.map(task => task.record!()) }
  }

  /** The same where nothing is under way. */
  standing(): PhaseRecord {
    const { headerDigest, dataDigest, maxRecvDataSegmentLength, targetMaxRecvDataSegmentLength } = this.parameters
    return {
      cid: this.cid,
      statSn: this.numbering.statSn,
      own: { headerDigest, dataDigest, maxRecvDataSegmentLength, targetMaxRecvDataSegmentLength },
      maxRecvDataSegmentLength: this.maxRecvDataSegmentLength,
      transferTag: this.#transferTag,
      answersPings: this.liveness.answersPings,
      text: { gathered: new Uint8Array(0) },
      tasks: [],
    }
  }

  /** A section has ended. `atRest`: as far as what the connections share is concerned. */
  settled(atRest: boolean): void {
    const { cell } = this.connection
    if (!cell) return
    if (atRest && this.#atRest) cell.rest(this.numbering.statSn, this.numbering.expCmdSn)
    else cell.busy()
  }

  get #atRest(): boolean {
    const { tasks } = this
    if (tasks.size > 0 || tasks.busy || this.#stopped || this.#sleepers.length > 0) return false
    return this.text.atRest && this.connection.atRest
  }

  /** As another worker has recorded it, but for the tasks. */
  restore({ maxRecvDataSegmentLength, transferTag, answersPings, text }: PhaseRecord): void {
    this.maxRecvDataSegmentLength = maxRecvDataSegmentLength
    this.#transferTag = transferTag
    this.liveness.answersPings = answersPings
    this.text.restore(text)
  }

  /** Takes nothing more, and ends all tasks; returns the I/O of theirs that is under way. */
  halt(): Promise<void>[] {
    this.#stopped = true
    this.order.forget(this)
    if (this.session.liveConnections === 1) this.order.waitNoLonger()
    this.#attendToClearedTasks()
    return this.tasks.abort(() => true)
  }

  /** As `halt`, and calls `then` when none of the I/O is under way any more. */
  stop(then: () => void): void {
    const busy = this.halt()
    if (busy.length === 0) then()
    else this.tasks.later(Promise.all(busy), then)
  }

  /** The connection was logged out, by this or another connection, and the initiator was answered. */
  loggedOut(): void {
    this.#host.loggedOut()
  }

  abortEverywhere(lun: Lun, reset: boolean): Promise<void> {
    return this.session.abortEverywhere(lun, reset)
  }

  /** Tells the initiator that another connection of the session is gone; nothing of it is kept [7143 §11.9.1, event 2]. */
  tellConnectionLost(cid: number): void {
    this.#tell({ asyncEvent: AsyncEvent.connectionDrop, parameter1: cid, parameter2: 0, parameter3: 0 })
  }

  /** Asks the initiator to log this connection out [7143 §11.9.1, event 1]. */
  requestLogout(seconds: number): void {
    this.#tell({ asyncEvent: AsyncEvent.logoutRequest, parameter3: seconds })
  }

  #tell(what: Parameters<typeof asyncMessage.encode>[0]): void {
    this.writer.whole(asyncMessage.encode({ ...what, ...this.numbering.response() }), Buffer.alloc(0))
    this.connection.flush()
    this.session.settled()
  }

  /** Ends everything; `host.settled` is told, maybe at once, when no I/O is under way. */
  abort(): void {
    this.#sleepers = []
    void this.halt()
    this.tasks.end()
    this.connection.flush() // what the freed memory let others ask for
  }

  /** When tasks end with their connection and the session goes on, the initiator is told for each LUN [7143 §11.14.5]. */
  #attendToClearedTasks(): void {
    for (const { command } of this.tasks.list()) {
      if (command.lun)
        establishUnitAttention(command.lun.nexus.unitAttentions, senseCodes.commandsClearedByProtocolEvent)
    }
  }
}

/** Why a PDU that is no request of the full feature phase is refused. */
function refusalOf(opcode: number): number {
  if (opcode === Opcode.snackRequest) return RejectReason.snackReject
  return opcode === Opcode.loginRequest ? RejectReason.protocolError : RejectReason.commandNotSupported
}

function cmdSnOf(buffer: Buffer, head: number): number {
  return logoutRequest.get.cmdSn(buffer, head) // at the same place in every numbered request [7143 §11.2.1]
}

function isNumbered(opcode: number): boolean {
  return (
    opcode === Opcode.scsiCommand ||
    opcode === Opcode.nopOut ||
    opcode === Opcode.taskManagementRequest ||
    opcode === Opcode.textRequest ||
    opcode === Opcode.logoutRequest
  )
}
