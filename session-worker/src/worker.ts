/**
 * A session worker: the thread that Piscina runs connections in, and what all of them share: its slot in the control blocks, one port to
 * the supervisor and one to the storage engine, the output slab, the borrowed volumes, one clock.
 */
import { readlinkSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { MessageChannel, type MessagePort, parentPort, receiveMessageOnPort, threadId } from 'node:worker_threads'
import {
  type BorrowerRequest,
  type ConnectionEnd,
  type ConnectionTask,
  compileSchema,
  type EngineNotice,
  type EngineReplies,
  engineNoticeSchema,
  faults,
  type LunsNotice,
  memoryOf,
  type NoticesNotice,
  Requester,
  type SessionWorkerData,
  type SupervisorNotice,
  type SupervisorReplies,
  type SupervisorRequest,
  supervisorNoticeSchema,
  WorkerCounters,
  type WorkerReady,
  WorkerSlots,
} from '@scsipub/contract'
import { MappingRegistry, registerMappings } from '@scsipub/posix'
import { BorrowedVolumes } from '@scsipub/volume'
import { ConnectionActor } from './connection-actor.js'
import { applyNotice, type SessionNotice } from './engine-notices.js'
import { HandOver } from './hand-over/hand-over.js'
import { Output } from './output.js'
import { beginPulse } from './pulse.js'
import { SeenNotices } from './seen-notices.js'
import type { Services, StorageEngine } from './services.js'
import type { Session } from './session.js'
import { Standings } from './standing/standings.js'
import { TokenFiles } from './token-files.js'

/** How often silent connections are looked for. */
const TICK_MS = 5_000
/** How long a session that is on its way waits for an engine that does not answer; initiators are promised an answer within a second. */
const PING_MS = 700

type AnsweredNotice = Extract<EngineNotice, { noticeId: number }>

const isSupervisorNotice = compileSchema<SupervisorNotice>(supervisorNoticeSchema)
const isEngineNotice = compileSchema<EngineNotice>(engineNoticeSchema)

export class SessionWorker implements Services {
  readonly output = new Output()
  readonly supervisor: Requester<SupervisorRequest, SupervisorReplies>
  readonly engine: StorageEngine
  readonly volumes: BorrowedVolumes
  readonly counters: WorkerCounters
  readonly tokenFiles = new TokenFiles(async () => (await this.engine.ask({ kind: 'tokens.folder' })).path)
  readonly sessions = new Map<number, Session>()
  readonly #connections = new Map<number, ConnectionActor>()
  readonly standings: Standings
  readonly #handOver = new HandOver(this, this.#connections)
  readonly #notices = new SeenNotices()
  readonly #fromEngine: (message: unknown) => void
  #enginePort: MessagePort

  /** Claims a slot and shows itself to the supervisor, which passes the engine's port on. */
  constructor(data: SessionWorkerData) {
    const slot = new WorkerSlots(data.slots).claim(threadId)
    this.counters = new WorkerCounters(data.counters, slot)
    beginPulse(this.counters)
    const mappings = new MappingRegistry().shared
    registerMappings(mappings)
    const toSupervisor = new MessageChannel()
    const toEngine = new MessageChannel()
    this.supervisor = new Requester(toSupervisor.port1)
    this.standings = new Standings({
      supervisor: this.supervisor,
      hadNotices: () => this.#handOver.hadNotices,
    })
    this.engine = new Requester<BorrowerRequest, EngineReplies>(toEngine.port1)
    this.volumes = new BorrowedVolumes({ slot, engine: this.engine })
    toSupervisor.port1.on(
      'message',
      receiver(this.supervisor, isSupervisorNotice, notice => this.#supervisorNotice(notice)),
    )
    this.#enginePort = toEngine.port1
    this.#fromEngine = receiver(this.engine, isEngineNotice, notice => this.#engineNotice(notice))
    toEngine.port1.on('message', this.#fromEngine)
    const ready: WorkerReady = {
      kind: 'worker.ready',
      slot,
      threadId,
      taskId: Number(readlinkSync('/proc/thread-self').split('/').at(-1)),
      supervisorPort: toSupervisor.port2,
      enginePort: toEngine.port2,
      mappings,
    }
    parentPort!.postMessage(ready, [toSupervisor.port2, toEngine.port2])
    setInterval(() => this.#tick(), TICK_MS).unref()
  }

  /** Runs one connection to its end; one that was adopted is there already. */
  async run(task: ConnectionTask): Promise<ConnectionEnd> {
    const { connectionId } = task
    const connection = task.adopted ? this.#connections.get(connectionId) : new ConnectionActor(task, this)
    if (!connection) throw new Error(`connection ${connectionId} was not adopted`)
    this.#connections.set(connectionId, connection)
    try {
      return await connection.done
    } finally {
      if (this.#connections.get(connectionId) === connection) this.#connections.delete(connectionId)
    }
  }

  #supervisorNotice(notice: SupervisorNotice): void {
    switch (notice.kind) {
      case 'connection.end':
        return this.#connections.get(notice.connectionId)?.end(notice.outcome, notice.why)
      case 'worker.drain':
        for (const connection of [...this.#connections.values()]) {
          connection.send({ type: 'connection.drain', deadlineMs: notice.deadlineMs, why: notice.why })
        }
        return
      case 'engine.port':
        return this.#changeEngine(notice.port)
      case 'session.luns':
        void this.#changeLuns(notice)
        return
      case 'session.export':
        return this.#answer(notice, async () => this.#handOver.leave(notice))
      case 'session.adopt':
        return this.#answer(notice, async () => this.#handOver.come(notice))
      case 'session.notices':
        return this.#answer(notice, () => this.#remembered(notice))
      case 'session.go':
        return this.#answer(notice, async () => this.#handOver.go(notice))
    }
  }

  /** Tells the supervisor what came of a notice, or why nothing did. */
  #answer({ noticeId }: { noticeId: number }, act: () => Promise<unknown>): void {
    const done = { kind: 'notice.done' as const, noticeId }
    const told = act().then(
      result => {
        const memory = result && typeof result === 'object' && 'record' in result ? memoryOf(result.record) : []
        return this.supervisor.ask({ ...done, ...(result !== undefined && { result }) }, memory)
      },
      (error: Error) => this.supervisor.ask({ ...done, failure: error.stack ?? error.message }),
    )
    // A supervisor that has gone needs no answer.
    told.catch(() => {})
  }

  /**
   * What the engine has said to a session that is gone. It comes by another port than the question, and may come later though it was said before. The engine tells one worker
   * after the other: what the next one had before it had the session, this one may not have been told yet.
   */
  async #remembered(notice: NoticesNotice): Promise<unknown> {
    this.#hearEngine()
    if (!this.#handOver.hasHad(notice.hadByNext ?? [])) {
      // An engine that does not answer says nothing either, or tells it again to all workers when it is replaced.
      await Promise.race([this.engine.ask({ kind: 'engine.ping' }), setTimeout(PING_MS, undefined, { ref: false })])
      this.#hearEngine()
    }
    return this.#handOver.remembered(notice)
  }

  /** Takes in what the engine has said and this thread has not come to yet. */
  #hearEngine(): void {
    const port = this.#enginePort
    for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) this.#fromEngine(next.message)
  }

  /** The engine has died, and another one has taken over: takes in what the dead one had still said, and asks the other all that is open. */
  #changeEngine(port: MessagePort): void {
    this.#hearEngine()
    this.#enginePort.close()
    this.#enginePort = port
    port.on('message', this.#fromEngine)
    this.engine.connect(port)()
  }

  /** A session that is not there has ended: the login that it began with was answered before the notice was sent. */
  async #changeLuns(notice: LunsNotice): Promise<void> {
    const { noticeId, sessionId } = notice
    await [...this.sessions.values()].find(({ id }) => id === sessionId)?.changeLuns(notice)
    // A supervisor that has gone needs no answer.
    this.supervisor.ask({ kind: 'notice.done', noticeId }).catch(() => {})
  }

  #engineNotice(notice: EngineNotice): void {
    if (notice.kind === 'gate.opened') return this.volumes.gateOpened(notice.volumeId)
    void this.#notices.once(notice.noticeId, () => this.#heed(notice)).then(() => this.#done(notice))
  }

  /** Resolves when what the notice wants has been done. */
  #heed(notice: AnsweredNotice): unknown {
    switch (notice.kind) {
      case 'volume.replaced':
        return this.volumes.replaced(notice.descriptor)
      default:
        return this.#tellSessions(notice)
    }
  }

  #tellSessions(notice: SessionNotice): Promise<unknown> {
    this.#handOver.heard(notice)
    const here = [...this.sessions.values()].filter(({ arriving }) => !arriving)
    return Promise.all(here.map(session => applyNotice(session, notice)))
  }

  #done({ noticeId }: { noticeId: number }): void {
    // An engine that has gone needs no answer.
    this.engine.ask({ kind: 'notice.done', noticeId }).catch(() => {})
  }

  #tick(): void {
    const nowMs = performance.now()
    for (const connection of this.#connections.values()) connection.tick(nowMs)
  }
}

interface Replies {
  accept(message: unknown): boolean
}

/** What gives replies to the requester and notices to `take`. Anything else is a bug of ours. */
function receiver<T>(
  requester: Replies,
  isNotice: { (message: unknown): message is T; errors?: unknown },
  take: (notice: T) => void,
): (message: unknown) => void {
  return message => {
    if (requester.accept(message)) return
    if (!isNotice(message))
      throw new Error(`message does not fit the contract: ${faults(isNotice as Parameters<typeof faults>[0])}`)
    take(message)
  }
}
