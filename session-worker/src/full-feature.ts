/**
 * The full feature phase of a normal or discovery session: takes PDUs in command order and keeps the tasks. [7143 §4.2.2, §8]
 *
 * What a PDU means stands in the file of its kind; this one owns what they share: numbers, tasks, the budget of memory for
 * data that is on its way, and the I/O that must have settled before the session's end.
 */
import type { SharedUnitAttention } from '@scsipub/contract'
import {
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
import { CommandOrder } from './command-order.js'
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
import { taskManagementPdu } from './task-management.js'
import { TaskSet, type TaskSetHost } from './task-set.js'
import { type Directory, TextPhase } from './text-phase.js'

/** What the session does for its full feature phase. */
export interface FullFeatureHost extends Omit<TaskSetHost, 'flush'> {
  /** The initiator has logged out and was answered. */
  loggedOut(): void
  /** Bytes were lost, so that nothing sensible can follow; the initiator was told. */
  broken(why: string): void
  readonly directory: Directory
  /** Has every session of the LUN's volume end its tasks on it; resolves when all have. */
  abortEverywhere(lun: Lun, reset: boolean): Promise<void>
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

  readonly connection: Connection
  readonly writer: PduWriter
  readonly numbering: Numbering
  readonly parameters: SessionParameters
  readonly target: Target
  readonly luns: ReadonlyMap<number, Lun>
  /** Connection ID, for Logout. */
  readonly cid: number

  constructor(
    parts: Pick<FullFeature, 'connection' | 'writer' | 'numbering' | 'parameters' | 'target' | 'luns' | 'cid'>,
    host: FullFeatureHost,
  ) {
    this.connection = parts.connection
    this.writer = parts.writer
    this.numbering = parts.numbering
    this.parameters = parts.parameters
    this.target = parts.target
    this.luns = parts.luns
    this.cid = parts.cid
    this.maxRecvDataSegmentLength = parts.parameters.maxRecvDataSegmentLength
    this.#host = host
    this.tasks = new TaskSet(parts.numbering, {
      flush: () => this.connection.flush(),
      crash: error => host.crash(error),
      settled: () => host.settled(),
    })
    this.order = new CommandOrder(parts.numbering, (buffer, at, dataAt, length) =>
      this.#request(header.get.opcode(buffer, at), buffer, at, dataAt, length),
    )
    this.text = new TextPhase(this, host.directory)
  }

  get discovery(): boolean {
    return this.parameters.sessionType === 'discovery'
  }

  /** A PDU off the wire, see `FramerSink`. Returns false when the connection should not be read for now. */
  pdu(buffer: Buffer, head: number, dataAt: number, length: number, digestOk: boolean): boolean {
    if (this.#stopped) return true
    const opcode = header.get.opcode(buffer, head)
    if (!digestOk) this.#wrongDigest(opcode, buffer, head)
    else if (opcode === Opcode.dataOut) dataOutPdu(this, buffer, head, dataAt, length)
    else if (!isNumbered(opcode)) reject(this, refusalOf(opcode), buffer, head)
    else if (header.get.immediate(buffer, head)) this.#request(opcode, buffer, head, dataAt, length)
    else this.order.take(cmdSnOf(buffer, head), buffer, head, dataAt, length)
    return this.#sleepers.length === 0 && !this.connection.congested
  }

  #request(opcode: number, buffer: Buffer, head: number, dataAt: number, length: number): void {
    const { tasks } = this
    if (tasks.size > 0 && tasks.get(header.get.initiatorTaskTag(buffer, head))) {
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
        return logoutPdu(this, buffer, head, () => this.#host.loggedOut())
    }
  }

  /** At ErrorRecoveryLevel 0 a lost PDU cannot be asked for again: it is rejected, and the session ends [7143 §7.8, §7.1.5]. */
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

  /** Takes nothing more, ends all tasks, and calls `then` when none of their I/O is under way any more. */
  stop(then: () => void): void {
    this.#stopped = true
    const busy = this.tasks.abort(() => true)
    if (busy.length === 0) then()
    else this.tasks.later(Promise.all(busy), then)
  }

  abortEverywhere(lun: Lun, reset: boolean): Promise<void> {
    return this.#host.abortEverywhere(lun, reset)
  }

  /**
   * Some session, maybe this one (`own`), has sent CLEAR TASK SET or (`reset`) LOGICAL UNIT RESET for the volume. Tells the initiator by
   * a unit attention, and resolves when no I/O of the ended tasks is under way any more. [SAM-5 §6.3.3, §7.4, §7.7]
   */
  async volumeAborted({ volumeId, reset, own }: { volumeId: string; reset: boolean; own: boolean }): Promise<void> {
    for (const lun of this.luns.values()) {
      if (lun.volumeId !== volumeId) continue
      const had = this.tasks.size
      const busy = this.tasks.abort(task => task.command.lun === lun)
      const { unitAttentions } = lun.nexus
      if (reset) establishUnitAttention(unitAttentions, senseCodes.busDeviceResetOccurred)
      else if (!own && this.tasks.size < had) {
        establishUnitAttention(unitAttentions, senseCodes.commandsClearedByAnotherInitiator)
      }
      await Promise.all(busy)
    }
  }

  /** See `Session.unitAttention`. */
  unitAttention({ volumeId, condition }: { volumeId: string; condition: SharedUnitAttention }): void {
    for (const lun of this.luns.values())
      if (lun.volumeId === volumeId) establishUnitAttention(lun.nexus.unitAttentions, senseCodes[condition])
  }

  /** Ends everything; `host.settled` is told, maybe at once, when no I/O is under way. */
  abort(): void {
    this.#stopped = true
    this.#sleepers = []
    this.order.clear()
    this.tasks.end()
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
