/**
 * A session worker: the thread that Piscina runs connections in, and what all of them share: its slot in the control blocks, one port to
 * the supervisor and one to the storage engine, the output slab, the borrowed volumes, one clock.
 */
import { MessageChannel, type MessagePort, parentPort, threadId } from 'node:worker_threads'
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
import { BorrowedVolumes } from '@scsipub/volume'
import { ConnectionActor } from './connection-actor.js'
import { Output } from './output.js'
import { beginPulse } from './pulse.js'
import type { Services, StorageEngine } from './services.js'
import type { Session } from './session.js'
import { TokenFiles } from './token-files.js'

/** How often silent connections are looked for. */
const TICK_MS = 5_000

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

  /** Claims a slot and shows itself to the supervisor, which passes the engine's port on. */
  constructor(data: SessionWorkerData) {
    const slot = new WorkerSlots(data.slots).claim(threadId)
    this.counters = new WorkerCounters(data.counters, slot)
    beginPulse(this.counters)
    const toSupervisor = new MessageChannel()
    const toEngine = new MessageChannel()
    this.supervisor = new Requester(toSupervisor.port1)
    this.engine = new Requester<BorrowerRequest, EngineReplies>(toEngine.port1)
    this.volumes = new BorrowedVolumes({ slot, engine: this.engine })
    listen(toSupervisor.port1, this.supervisor, isSupervisorNotice, notice => this.#supervisorNotice(notice))
    listen(toEngine.port1, this.engine, isEngineNotice, notice => this.#engineNotice(notice))
    const ready: WorkerReady = {
      kind: 'worker.ready',
      slot,
      threadId,
      supervisorPort: toSupervisor.port2,
      enginePort: toEngine.port2,
    }
    parentPort!.postMessage(ready, [toSupervisor.port2, toEngine.port2])
    setInterval(() => this.#tick(), TICK_MS).unref()
  }

  /** Runs one connection to its end. */
  async run(task: ConnectionTask): Promise<ConnectionEnd> {
    const connection = new ConnectionActor(task, this)
    this.#connections.set(task.connectionId, connection)
    try {
      return await connection.done
    } finally {
      this.#connections.delete(task.connectionId)
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
      case 'session.luns':
        void this.#changeLuns(notice)
    }
  }

  /** A session that is not there has ended: the login that it began with was answered before the notice was sent. */
  async #changeLuns(notice: LunsNotice): Promise<void> {
    const { noticeId, sessionId } = notice
    await [...this.sessions.values()].find(({ id }) => id === sessionId)?.changeLuns(notice)
    // A supervisor that has gone needs no answer.
    this.supervisor.ask({ kind: 'notice.done', noticeId }).catch(() => {})
  }

  #engineNotice(notice: EngineNotice): void {
    switch (notice.kind) {
      case 'gate.opened':
        return this.volumes.gateOpened(notice.volumeId)
      case 'volume.replaced':
        this.volumes.replaced(notice.descriptor)
        return this.#done(notice)
      case 'tasks.abort': {
        const { volumeId, reset, sessionId } = notice
        const ended = [...this.sessions.values()].map(session =>
          session.volumeAborted({ volumeId, reset, own: session.id === sessionId }),
        )
        void Promise.all(ended).then(() => this.#done(notice))
        return
      }
      case 'reservation.changed': {
        const changed = [...this.sessions.values()].map(session => session.reservationChanged(notice))
        void Promise.all(changed).then(() => this.#done(notice))
        return
      }
      case 'unit.attention':
        for (const session of this.sessions.values()) session.unitAttention(notice)
        this.#done(notice)
    }
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

/** Gives replies to the requester and notices to `take`. Anything else is a bug of ours. */
function listen<T>(
  port: MessagePort,
  requester: Replies,
  isNotice: { (message: unknown): message is T; errors?: unknown },
  take: (notice: T) => void,
): void {
  port.on('message', (message: unknown) => {
    if (requester.accept(message)) return
    if (!isNotice(message))
      throw new Error(`message does not fit the contract: ${faults(isNotice as Parameters<typeof faults>[0])}`)
    take(message)
  })
}
