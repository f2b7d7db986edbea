/**
 * One iSCSI session: what its connections share. CmdSN and the order of commands, the LUNs with their unit attentions, the memory for data
 * that is on its way, the parameters that were agreed on with the first connection, and who belongs to it. [7143 §4.2, §6.3.1]
 *
 * It lives from the login of its first connection to the end of its last one (`session.machine.ts`). What belongs to one connection is in
 * `full-feature.ts`: a command, its data and its status stay on the connection that it came by [7143 §4.2.2.1.3].
 */
import type { ControlBlocks, LoginRefusal, LunsNotice, SharedRecord } from '@scsipub/contract'
import { LoginStatus, type SessionParameters } from '@scsipub/iscsi'
import { initiatorPortName, senseCodes, type Target, type UnitAttention } from '@scsipub/scsi'
import type { Command, Task } from './command.js'
import { CommandOrder } from './command-order.js'
import { CopyManager, isBackground } from './copy-manager.js'
import { DataBudget } from './data-budget.js'
import type { FullFeature } from './full-feature.js'
import type { Lun } from './lun.js'
import { CommandWindow } from './numbering.js'
import { respondSense } from './scsi-response.js'
import { next, OPEN, type SessionAction, type SessionEvent } from './session.machine.js'
import type { SessionLuns } from './session-luns.js'
import type { TokenFiles } from './token-files.js'

/** A connection as its session sees it. */
export interface Member {
  /** Settles, either way, when none of its I/O is under way any more. */
  readonly done: Promise<unknown>
  end(outcome: 'logout' | 'dropped' | 'reinstated' | 'reset', why: string): void
}

export interface SessionFacts {
  /** Of the connection that it begins with. */
  readonly sessionId: number
  readonly parameters: SessionParameters
  readonly luns: SessionLuns
  /** First CmdSN of the full feature phase. */
  readonly expCmdSn: number
  readonly tokenFiles: TokenFiles
  /** Names of the initiator ports of these nodes that have a session on the target. */
  portsOf(nodes: readonly string[]): Promise<string[]>
  /** Has the sessions of the target end, this one too, as far as they are the initiator's affair. */
  resetTarget(): Promise<void>
  /** What the supervisor has to know has changed; the value is the version of it. */
  changed(session: Session): number
  /** The session has ended; its volumes have been given back. */
  ended(): void
}

export class Session {
  readonly id: number
  /** The initiator port, by its name. */
  readonly port: string
  readonly parameters: SessionParameters
  readonly target: Target
  readonly luns: ReadonlyMap<number, Lun>
  readonly window: CommandWindow
  readonly order: CommandOrder
  readonly budget = new DataBudget()
  /** Connections in the full feature phase, until they have ended. */
  readonly phases: FullFeature[] = []
  /** It comes from another worker, and has not begun here: what the storage engine says is kept for that. */
  arriving = false
  readonly #facts: SessionFacts
  #life = OPEN
  #copies: CopyManager | undefined
  /** By connection ID: who may send, or is about to. */
  readonly #places = new Map<number, Member>()
  readonly #luns: SessionLuns
  /** LUNs that have gone, until nothing of them is under way any more. */
  #parting: Set<Promise<void>> | undefined
  /** Everybody who has not ended, with the connection ID. */
  readonly #members = new Map<Member, number>()
  #leaving: Promise<unknown> | undefined
  #version = 0

  /** `founder`: the first connection, with its ID. */
  constructor(facts: SessionFacts, founder: Member, cid: number) {
    this.#facts = facts
    this.id = facts.sessionId
    this.parameters = facts.parameters
    this.port = initiatorPortName(facts.parameters.initiatorName, facts.parameters.isid)
    this.#luns = facts.luns
    this.target = facts.luns.target
    this.luns = facts.luns.byNumber
    this.window = new CommandWindow(facts.expCmdSn)
    this.order = new CommandOrder(this.window)
    this.#places.set(cid, founder)
    this.#members.set(founder, cid)
  }

  get places(): number {
    return this.#places.size
  }

  /** Copies between its LUNs, and the tokens that it made. */
  get copies(): CopyManager {
    this.#copies ??= new CopyManager(this.luns, this.#facts.tokenFiles, () => this.changed())
    return this.#copies
  }

  /** A unit is reset: what that is to copies, if there ever was one; see `CopyManager.unitReset`. */
  resetCopies(lun: Lun): Promise<void>[] {
    return this.#copies?.unitReset(lun) ?? []
  }

  get isOpen(): boolean {
    return this.#life.name === 'open' && !this.#leaving
  }

  /** Connections that take PDUs of the full feature phase. */
  get liveConnections(): number {
    return this.phases.filter(phase => !phase.stopped).length
  }

  // --- who belongs to it

  /**
   * Gives a connection its place; it is in the session when this resolves with nothing. One that has the ID of another one takes its place:
   * that one is logged out, and its tasks have ended by then [7143 §6.3.4].
   */
  async admit(member: Member, cid: number): Promise<LoginRefusal | undefined> {
    if (!this.isOpen) return sessionEnded()
    const old = this.#places.get(cid)
    if (!old && this.places >= this.parameters.maxConnections) {
      return { ...LoginStatus.tooManyConnections, why: `MaxConnections is ${this.parameters.maxConnections}` }
    }
    const before = [...this.#members].flatMap(([other, id]) => (id === cid ? [other.done] : []))
    this.#places.set(cid, member)
    this.#members.set(member, cid)
    old?.end('reinstated', 'connection reinstatement [7143 §6.3.4]')
    await Promise.allSettled(before)
    return this.isOpen && this.#places.get(cid) === member ? undefined : sessionEnded()
  }

  /** The connection takes and sends nothing more. `lost`: nobody has logged it out, so the initiator is told on another one. */
  giveUpPlace(member: Member, lost: boolean): void {
    const cid = this.#members.get(member)
    if (cid === undefined || this.#places.get(cid) !== member) return
    this.#places.delete(cid)
    if (this.places === 0) this.#send('lastPlace.left')
    if (lost && this.isOpen) this.phases.find(phase => !phase.stopped)?.tellConnectionLost(cid)
  }

  /** The connection has ended, and with the last one the session; a promise, when that holds something of a unit until it resolves. */
  leave(member: Member, phase: FullFeature | undefined): undefined | Promise<unknown> {
    this.giveUpPlace(member, false)
    this.#members.delete(member)
    if (phase) this.phases.splice(this.phases.indexOf(phase), 1)
    if (this.#members.size === 0) this.#send('lastConnection.ended')
    else this.changed()
    return this.#leaving
  }

  /** Ends the session with all connections that have a place. */
  close(outcome: 'logout' | 'dropped', why: string): void {
    if (this.#send('session.close').includes('endConnections'))
      for (const member of [...this.#places.values()]) member.end(outcome, why)
  }

  #send(event: SessionEvent['type']): readonly SessionAction[] {
    this.#life = next(this.#life, event)
    const { actions } = this.#life
    if (actions.includes('release')) this.#release()
    return actions
  }

  /**
   * Gives back what it holds of its units: it is about to end, and takes nobody new and nothing more. Returns what is waited for, or undefined when there is nothing.
   */
  leaveUnits(): undefined | Promise<unknown> {
    const left = [...this.luns.values()].map(lun => lun.unit.leave()).filter(waits => waits !== undefined)
    const leaving = [...left, ...(this.#parting ?? [])]
    if (leaving.length > 0) this.#leaving = Promise.all(leaving)
    return this.#leaving
  }

  #release(): void {
    void this.leaveUnits()
    for (const lun of this.luns.values()) lun.volume.release()
    void this.#copies?.close()
    this.#facts.ended()
  }

  // --- from worker to worker, see `hand-over/`

  /** A connection that belongs to the session that another worker had. */
  enlist(member: Member, cid: number): void {
    this.#places.set(cid, member)
    this.#members.set(member, cid)
  }

  /** Why it cannot be given to another worker at this moment, with just these connections; undefined when it can. */
  obstacle(connections: ReadonlySet<Member>): string | undefined {
    if (!this.isOpen) return 'the session is ending'
    if (this.#parting && this.#parting.size > 0) return 'a LUN is going'
    for (const member of this.#members.keys()) if (!connections.has(member)) return 'a connection was not known'
    return undefined
  }

  /** What another worker needs of what the connections share; there must be no `obstacle`. */
  record(): Omit<SharedRecord, 'hadNotices'> {
    return {
      ...this.standing(),
      ...this.order.record(carrier => this.phases.find(phase => phase === carrier)!.cid),
      budget: this.budget.record(),
    }
  }

  /** The same of a session at rest. */
  standing(): Omit<SharedRecord, 'hadNotices'> {
    const { isid, ...parameters } = this.parameters
    return {
      sessionId: this.id,
      parameters: { ...parameters, isid: isid.toString('hex') },
      expCmdSn: this.window.expCmdSn,
      luns: [...this.#luns.byNumber.values()].map(lun => lun.record()),
      early: [],
      waiting: [],
      budget: { granted: [], waiting: [] },
      ...(this.#copies && { copies: this.#copies.record() }),
    }
  }

  /** Its volumes go back, and nothing else: another worker has it. */
  leaveBehind(): void {
    for (const phase of this.phases) phase.tasks.forsake()
    for (const lun of this.luns.values()) lun.volume.release()
    this.#copies?.leaveBehind()
    this.#facts.ended()
  }

  // --- what is known of it should the worker die, see `standing/`

  get version(): number {
    return this.#version
  }

  /** Of its volumes. */
  get controls(): ControlBlocks {
    return Object.fromEntries(
      [...this.luns.values()].map(({ volume: { descriptor } }) => [descriptor.spec.volumeId, descriptor.control]),
    )
  }

  /** Something has changed that does not stand in the cells of its connections. */
  changed(): void {
    this.#version = this.#facts.changed(this)
    for (const { connection } of this.phases) if (connection.cell) connection.cell.version = this.#version
  }

  /** A section has ended: its connections say how they stand. */
  settled(): void {
    const atRest = this.isOpen && this.order.atRest && !this.#copies?.busy && !this.#parting?.size
    for (let index = 0; index < this.phases.length; index++) this.phases[index]!.settled(atRest)
  }

  // --- its LUNs

  /**
   * LUNs go, and others come. Resolves when nothing of those that went is under way any more and their volumes have been given back: their commands have ended with
   * 5/25/00 like those that come later [SPC-4 §4.5.6], and so have their copies.
   */
  async changeLuns({ add, remove }: Pick<LunsNotice, 'add' | 'remove'>): Promise<void> {
    const parting = this.#luns.change(add, remove).map(lun => this.#part(lun))
    this.changed()
    this.phases[0]?.connection.flush() // what ended, and what the freed memory let other tasks ask for
    if (parting.length === 0) return
    this.#parting ??= new Set()
    const unfinished = this.#parting
    for (const end of parting) {
      unfinished.add(end)
      void end.finally(() => unfinished.delete(end))
    }
    await Promise.all(parting)
  }

  /** See `SessionLuns.clear`. */
  clearUnitAttention(condition: UnitAttention): void {
    this.#luns.clear(condition)
  }

  async #part(lun: Lun): Promise<void> {
    const busy = this.phases.flatMap(phase =>
      phase.tasks.terminate(
        task => task.command.lun === lun,
        command => endWithoutUnit(phase, command),
      ),
    )
    await Promise.all([...busy, ...(this.#copies?.unitGone(lun) ?? [])])
    await this.#copies?.forget(lun)
    await lun.unit.leave()
    lun.volume.release()
  }

  // --- tasks of all connections

  get taskCount(): number {
    let count = 0
    for (const phase of this.phases) count += phase.tasks.size
    return count
  }

  /** The task with that tag, on whichever connection; tags are unique in the session [7143 §11.2.1.8]. */
  task(tag: number): Task | undefined {
    for (let index = 0; index < this.phases.length; index++) {
      const { tasks } = this.phases[index]!
      const task = tasks.size > 0 ? tasks.get(tag) : undefined
      if (task) return task
    }
    return undefined
  }

  /** See `TaskSet.abort`. */
  abortTasks(which: (task: Task) => boolean): Promise<void>[] {
    return this.phases.flatMap(phase => phase.tasks.abort(which))
  }

  abortEverywhere(lun: Lun, reset: boolean): Promise<void> {
    return lun.unit.abortTasks(reset)
  }

  portsOf(nodes: readonly string[]): Promise<string[]> {
    return this.#facts.portsOf(nodes)
  }

  resetTarget(): Promise<void> {
    return this.#facts.resetTarget()
  }
}

/** A copy in the background has been answered when it began. */
function endWithoutUnit(phase: FullFeature, command: Command): void {
  if (isBackground(command)) phase.tasks.close(command)
  else respondSense(phase, command, { code: senseCodes.logicalUnitNotSupported })
}

function sessionEnded(): LoginRefusal {
  return { ...LoginStatus.sessionDoesNotExist, why: 'the session is ending' }
}
