/**
 * The full feature phase of a normal or discovery session: takes PDUs in command order and keeps the tasks. [7143 §4.2.2, §8]
 *
 * What a PDU means stands in the file of its kind; this one owns what they share: numbers, tasks, the budget of memory for
 * data that is on its way, and the I/O that must have settled before the session's end.
 */
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
import type { Command, Task } from './command.js'
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
import { type Directory, TextPhase } from './text-phase.js'
import type { WriteTask } from './write-task.js'

/** Memory that a session may hold for data it has asked for. One transfer is always granted. */
const SOLICITED_BYTES = 32 << 20
/** Immediate commands do not count in the command window; so many may run beside it [7143 §4.2.2.1]. */
const MAX_IMMEDIATE_TASKS = 32

/** What the session does for its full feature phase. */
export interface FullFeatureHost {
  /** The initiator has logged out and was answered. */
  loggedOut(): void
  /** Bytes were lost, so that nothing sensible can follow; the initiator was told. */
  broken(why: string): void
  /** A bug of ours: the session ends, the error goes to the supervisor. */
  crash(error: unknown): void
  /** No I/O of this session is under way any more; told after `abort`. */
  settled(): void
  readonly directory: Directory
  /** Has every session of the LUN's volume end its tasks on it; resolves when all have. */
  abortEverywhere(lun: Lun, reset: boolean): Promise<void>
}

interface HeldPdu {
  readonly pdu: Buffer
  readonly dataAt: number
  readonly length: number
}

/** Stands for a command that was aborted before it came. */
const VOID: HeldPdu = { pdu: Buffer.alloc(0), dataAt: 0, length: 0 }

export class FullFeature {
  readonly tasks = new Map<number, Task>()
  readonly text: TextPhase
  /** Longest data segment that the initiator takes, in bytes; it may declare another one at any time [7143 §13.12]. */
  maxRecvDataSegmentLength: number
  readonly liveness = new Liveness()
  #host: FullFeatureHost
  #early = new Map<number, HeldPdu>()
  #sleepers: Task[] = []
  #waiting: WriteTask[] = []
  #granted = new Map<Command, number>()
  #grantedBytes = 0
  #immediateTasks = 0
  #transferTag = 0
  #inFlight = 0
  #ending = false
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
    else if (opcode === Opcode.snackRequest) reject(this, RejectReason.snackReject, buffer, head)
    else if (!isNumbered(opcode))
      reject(
        this,
        opcode === Opcode.loginRequest ? RejectReason.protocolError : RejectReason.commandNotSupported,
        buffer,
        head,
      )
    else if (header.get.immediate(buffer, head)) this.#request(opcode, buffer, head, dataAt, length)
    else this.#inOrder(opcode, buffer, head, dataAt, length)
    return this.#sleepers.length === 0 && !this.connection.congested
  }

  /** Requests that carry a CmdSN are carried out in its order [7143 §4.2.2.1]. */
  #inOrder(opcode: number, buffer: Buffer, head: number, dataAt: number, length: number): void {
    const cmdSn = cmdSnOf(buffer, head)
    switch (this.numbering.classify(cmdSn)) {
      case 'outside':
        return
      case 'early':
        if (this.#early.has(cmdSn)) return
        this.#early.set(cmdSn, {
          pdu: Buffer.from(buffer.subarray(head, dataAt + length)),
          dataAt: dataAt - head,
          length,
        })
        return
      case 'next':
        this.numbering.advance()
        this.#request(opcode, buffer, head, dataAt, length)
    }
    if (this.#early.size > 0) this.#goOn()
  }

  #goOn(): void {
    for (
      let held = this.#early.get(this.numbering.expCmdSn);
      held && !this.#ending;
      held = this.#early.get(this.numbering.expCmdSn)
    ) {
      this.#early.delete(this.numbering.expCmdSn)
      this.numbering.advance()
      if (held !== VOID) this.#request(header.get.opcode(held.pdu, 0), held.pdu, 0, held.dataAt, held.length)
    }
  }

  /**
   * A command that was aborted before it came counts as received: its number is passed over, and a copy that is
   * held or still comes is not carried out [7143 §11.6.1]. False when the number is outside of the window.
   */
  passOver(cmdSn: number): boolean {
    if (this.numbering.classify(cmdSn) === 'outside') return false
    this.#early.set(cmdSn, VOID)
    this.#goOn()
    return true
  }

  #request(opcode: number, buffer: Buffer, head: number, dataAt: number, length: number): void {
    const tag = header.get.initiatorTaskTag(buffer, head)
    if (this.tasks.size > 0 && this.tasks.has(tag)) return reject(this, RejectReason.taskInProgress, buffer, head)
    if (this.discovery && (opcode === Opcode.scsiCommand || opcode === Opcode.taskManagementRequest)) {
      return reject(this, RejectReason.commandNotSupported, buffer, head) // only Text and Logout are for discovery [7143 §4.3]
    }
    if (header.get.immediate(buffer, head) && this.#immediateTasks >= MAX_IMMEDIATE_TASKS) {
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

  /** A task that holds nothing: for commands that may be done at once. */
  instant(command: Command): Task {
    return { command, aborted: false, pending: undefined, run: () => {} }
  }

  /** The command outlives this section: it counts in the window, and can be aborted. */
  keep(task: Task): void {
    const { command } = task
    this.tasks.set(command.initiatorTaskTag, task)
    if (command.kept) return
    command.kept = true
    if (command.immediate) this.#immediateTasks++
    else this.numbering.taskBegan()
  }

  /** The command is about to be answered, or never will be. */
  close(command: Command): void {
    if (!command.kept) return
    command.kept = false
    this.tasks.delete(command.initiatorTaskTag)
    if (command.immediate) this.#immediateTasks--
    else this.numbering.taskEnded()
    const bytes = this.#granted.get(command)
    if (bytes === undefined) return
    this.#granted.delete(command)
    this.#grantedBytes -= bytes
    this.#grant()
  }

  /** Runs `task` once the session's budget has room for its data; tasks are granted in the order of asking. */
  solicitInTurn(task: WriteTask): void {
    this.#waiting.push(task)
    this.#grant()
  }

  #grant(): void {
    for (let task = this.#waiting[0]; task; task = this.#waiting[0]) {
      if (!task.aborted) {
        if (this.#grantedBytes > 0 && this.#grantedBytes + task.expected > SOLICITED_BYTES) return
        this.#granted.set(task.command, task.expected)
        this.#grantedBytes += task.expected
      }
      this.#waiting.shift()
      if (!task.aborted) task.run()
    }
  }

  /** Does `action`, then goes on with `then`, or with `failed` when it throws or rejects; at once where it can be done at once. */
  attempt(
    task: Task,
    action: () => undefined | Promise<void>,
    then: () => void,
    failed: (error: unknown) => void,
  ): void {
    let waiting: undefined | Promise<void>
    try {
      waiting = action()
    } catch (error) {
      return failed(error)
    }
    if (waiting) this.during(task, waiting, then, failed)
    else then()
  }

  /** Keeps `task` while `waiting` is under way. When it was aborted meanwhile, neither `then` nor `failed` is called. */
  during(task: Task, waiting: Promise<void>, then: () => void, failed: (error: unknown) => void): void {
    this.keep(task)
    this.#inFlight++
    const settle = (next: () => void) => {
      this.#inFlight--
      try {
        if (!task.aborted) next()
        this.connection.flush()
      } catch (error) {
        this.#host.crash(error)
      }
      if (this.#ending && this.#inFlight === 0) this.#host.settled()
    }
    task.pending = waiting.then(
      () => settle(then),
      error => settle(() => failed(error)),
    )
  }

  /** Goes on with what `waiting` brings, unless the session has ended meanwhile. */
  later<T>(waiting: Promise<T>, then: (value: T) => void): void {
    waiting
      .then(value => {
        if (this.#ending) return
        then(value)
        this.connection.flush()
      })
      .catch((error: unknown) => this.#host.crash(error))
  }

  /** The task goes on when the connection has drained. */
  sleep(task: Task): void {
    this.keep(task)
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
    const busy = this.abortTasks(() => true)
    if (busy.length === 0) then()
    else this.later(Promise.all(busy), then)
  }

  /** Ends the tasks that `which` chooses, without an answer; returns the I/O of theirs that is still under way. It never rejects. */
  abortTasks(which: (task: Task) => boolean): Promise<void>[] {
    const chosen = [...this.tasks.values()].filter(which)
    for (const task of chosen) {
      task.aborted = true
      this.close(task.command)
    }
    return chosen.flatMap(task => (task.pending ? [task.pending] : []))
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
      const busy = this.abortTasks(task => task.command.lun === lun)
      const { unitAttentions } = lun.nexus
      if (reset) establishUnitAttention(unitAttentions, senseCodes.busDeviceResetOccurred)
      else if (!own && this.tasks.size < had)
        establishUnitAttention(unitAttentions, senseCodes.commandsClearedByAnotherInitiator)
      await Promise.all(busy)
    }
  }

  /** Ends everything; `host.settled` is told, maybe at once, when no I/O is under way. */
  abort(): void {
    if (this.#ending) return
    this.#ending = true
    this.abortTasks(() => true)
    this.#sleepers = []
    this.#early.clear()
    if (this.#inFlight === 0) this.#host.settled()
  }
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
