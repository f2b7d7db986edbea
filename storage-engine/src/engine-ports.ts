/**
 * The engine's conversations: with the supervisor, and with each session worker over a port of its own.
 */
import { MessagePort } from 'node:worker_threads'
import {
  answer,
  Borrower,
  type BorrowerRequest,
  borrowerRequestSchema,
  compileSchema,
  type EngineNotice,
  type EngineReplies,
  type EngineRequest,
  engineRequestSchema,
  MAX_WORKER_SLOTS,
  RpcError,
} from '@scsipub/contract'
import type { Logger } from 'pino'
import { type AnsweredNotice, AnsweredNotices } from './answered-notices.js'
import { OrphanNotices } from './orphan-notices.js'
import { changeReservations, readReservations, tellOfChanges } from './reservation-requests.js'
import type { StorageEngine } from './storage-engine.js'
import { changeUnit } from './unit-changes.js'

const isEngineRequest = compileSchema<EngineRequest>(engineRequestSchema)
const isBorrowerRequest = compileSchema<BorrowerRequest>(borrowerRequestSchema)

type Told<Kind> = Extract<AnsweredNotice, { kind: Kind }>

/** Session workers by slot, for notices. */
export class WorkerPorts {
  readonly #ports = new Map<number, MessagePort>()

  readonly #answered: AnsweredNotices

  /** `nextNotice` gives a number that no notice has had, of this engine or of one before. */
  constructor(nextNotice: () => number) {
    this.#answered = new AnsweredNotices(nextNotice)
  }

  readonly #orphans = new OrphanNotices()

  /** Has every worker end the tasks of its sessions on a volume. */
  abort(what: Pick<Told<'tasks.abort'>, 'volumeId' | 'sessionId' | 'reset'>): Promise<void> {
    return this.#answered.start(this.#ports.keys(), { kind: 'tasks.abort', ...what }, notice => this.notify(notice))
  }

  /** Establishes a unit attention for every session on a volume but `sessionId` (0: for all). */
  attention(what: Pick<Told<'unit.attention'>, 'volumeId' | 'sessionId' | 'condition'>): Promise<void> {
    return this.#answered.start(this.#ports.keys(), { kind: 'unit.attention', ...what }, notice => this.notify(notice))
  }

  /** Gives every worker the new descriptor of a volume; resolves when all go by it. */
  replaced(descriptor: Told<'volume.replaced'>['descriptor']): Promise<void> {
    return this.#answered.start(this.#ports.keys(), { kind: 'volume.replaced', descriptor }, notice =>
      this.notify(notice),
    )
  }

  /** Has every worker tell its sessions of a change of persistent reservations, and end the tasks of some. */
  reservationChanged({ noticeId, ...what }: Omit<Told<'reservation.changed'>, 'kind'>): Promise<void> {
    const tell = (notice: EngineNotice) => this.notify(notice)
    return this.#answered.start(this.#ports.keys(), { kind: 'reservation.changed', ...what }, tell, noticeId)
  }

  done(noticeId: number, slot: number): void {
    this.#answered.done(noticeId, slot)
  }

  notify(notice: EngineNotice): void {
    this.#orphans.hear(notice)
    for (const port of this.#ports.values()) port.postMessage(notice)
  }

  add(slot: number, port: MessagePort): void {
    this.remove(slot)
    this.#ports.set(slot, port)
  }

  remove(slot: number): void {
    this.#ports.get(slot)?.close()
    this.#ports.delete(slot)
    this.#answered.gone(slot)
  }

  /** Remembers what sessions of a dead worker have to hear of that go on in another one; the value is for `orphanNotices`. */
  orphan(slot: number): number {
    return this.#orphans.begin(this.#answered.unanswered(slot))
  }

  orphanNotices(orphans: number): EngineNotice[] {
    return this.#orphans.take(orphans)
  }

  removeAll(): void {
    for (const slot of [...this.#ports.keys()]) this.remove(slot)
  }
}

interface Conversation {
  engine: StorageEngine
  workers: WorkerPorts
  log: Logger
}

/** Answers what the supervisor asks. `closed` is called after the answer to `engine.close`. */
export function serveSupervisor(port: MessagePort, conversation: Conversation, closed: () => void): void {
  const take = answer<EngineRequest>(port, isEngineRequest, request => supervise(request, conversation, closed))
  port.on('message', guarded(port, take, conversation.log))
}

async function supervise(request: EngineRequest, conversation: Conversation, closed: () => void): Promise<unknown> {
  const { engine, workers, log } = conversation
  switch (request.kind) {
    case 'volume.open': {
      const descriptor = await engine.open(request.spec)
      log.debug({ volume: request.spec.volumeId }, 'volume open')
      return descriptor
    }
    case 'volume.reopen':
      return engine.reopen(request.volumeId)
    case 'volume.list':
      return { volumeIds: engine.persistent() }
    case 'engine.resume':
      void tellOfChanges(engine, what => workers.reservationChanged(what))
      return {}
    case 'volume.remove':
      await engine.remove(request.volumeId)
      log.debug({ volume: request.volumeId }, 'volume removed')
      return {}
    case 'volume.destroy':
      if (request.again && !engine.has(request.volumeId)) return {}
      await engine.destroy(request.volumeId)
      log.debug({ volume: request.volumeId }, 'volume closed')
      return {}
    case 'volume.snapshot': {
      const taken = await engine.snapshots.take(request.items, request.again)
      log.info({ event: 'volume.snapshot', items: request.items, pausedMs: Math.round(taken.pausedMs) })
      return taken
    }
    case 'volume.resize': {
      const { volumeId, sizeBytes } = request
      if (!(await engine.snapshots.resize(volumeId, sizeBytes)) && !request.again) return {}
      // The engine that was asked first may have ended before the workers knew: they go by the new size before they tell of it.
      if (request.again) await workers.replaced(await engine.renew(volumeId))
      log.info({ event: 'volume.resize', volume: volumeId, sizeBytes })
      // [SBC-3 §4.4.1]: every nexus is told that the capacity has changed.
      await workers.attention({ volumeId, sessionId: 0, condition: 'capacityDataChanged' })
      return {}
    }
    case 'snapshot.list':
      return engine.snapshots.list()
    case 'snapshot.destroy':
      await engine.snapshots.destroy(request.snapshotId, request.again)
      log.info({ event: 'snapshot.destroy', snapshot: request.snapshotId })
      return {}
    case 'worker.attach': {
      const { slot, port } = request
      if (slot >= MAX_WORKER_SLOTS)
        throw new RpcError('bad-request', `worker slot ${slot} is not below ${MAX_WORKER_SLOTS}`)
      if (!(port instanceof MessagePort))
        throw new RpcError('bad-request', 'worker.attach needs a MessagePort, transferred with it')
      workers.add(slot, port)
      const take = answer<BorrowerRequest>(port, isBorrowerRequest, asked => lend(asked, slot, conversation))
      port.on('message', guarded(port, take, log))
      return {}
    }
    case 'worker.detach':
      return detach(request, conversation)
    case 'worker.orphans':
      await engine.sessionsGone(request.lost)
      return { notices: workers.orphanNotices(request.orphans) }
    case 'engine.ping':
      return {}
    case 'engine.close':
      try {
        await engine.close()
        return {}
      } finally {
        workers.removeAll()
        // The answer goes out first.
        setImmediate(closed)
      }
  }
}

/** A worker is dead. Sessions of it that are to go on keep what they hold of units, and hear later of what happens meanwhile. */
async function detach(
  { slot, kept = [] }: Extract<EngineRequest, { kind: 'worker.detach' }>,
  { engine, workers }: Conversation,
): Promise<EngineReplies['worker.detach']> {
  const orphans = kept.length > 0 ? workers.orphan(slot) : 0
  workers.remove(slot)
  await engine.detach(slot, new Set(kept))
  return { orphans }
}

async function lend(request: BorrowerRequest, slot: number, { engine, workers, log }: Conversation): Promise<unknown> {
  try {
    switch (request.kind) {
      case 'volume.materialise':
        return await engine.materialise(request.volumeId)
      case 'volume.renew':
        return await engine.renew(request.volumeId)
      case 'volume.flush':
        await engine.flush(request.volumeId)
        return {}
      case 'volume.exclusive':
        return await engine.operate(request.volumeId, request.operation, {
          borrower: new Borrower(request.sessionId, request.port),
          operationId: request.operationId,
          again: request.again ?? false,
        })
      case 'volume.sanitized':
        await engine.sanitized(request.volumeId)
        return {}
      case 'volume.abort':
        await workers.abort({ volumeId: request.volumeId, sessionId: request.sessionId, reset: request.reset })
        if (request.reset) (await engine.unit(request.volumeId)).reset()
        return {}
      case 'unit.change':
        await changeUnit(engine, request, slot, what => workers.attention(what))
        return {}
      case 'reservation.change':
        return await changeReservations(engine, request, what => workers.reservationChanged(what))
      case 'reservation.read':
        return await readReservations(engine, request.volumeId)
      case 'unit.leave':
        ;(await engine.unit(request.volumeId)).leave(request.sessionId)
        return {}
      case 'unit.adopt':
        ;(await engine.unit(request.volumeId)).adopt({ sessionId: request.sessionId, slot })
        return {}
      case 'unit.attention': {
        const { volumeId, sessionId, condition } = request
        await workers.attention({ volumeId, sessionId, condition })
        return {}
      }
      case 'notice.done':
        workers.done(request.noticeId, slot)
        return {}
      case 'engine.ping':
        return {}
      case 'tokens.folder':
        return { path: engine.tokensFolder }
    }
  } catch (error) {
    const told = { kind: request.kind, ...('volumeId' in request && { volume: request.volumeId }), err: error }
    if (error instanceof RpcError && isRefusal(request, error)) log.debug(told, `${request.kind} refused`)
    else log.error(told, `${request.kind} failed`)
    throw error
  }
}

/** What a session may ask of a volume that goes at the same time: it has nothing to end or to wait for there any more. */
const MAY_COME_TOO_LATE: ReadonlySet<BorrowerRequest['kind']> = new Set([
  'volume.abort',
  'volume.sanitized',
  'unit.leave',
  'unit.adopt',
])

/** Whether it is the initiator's affair: a quota that is used up, a unit that is not for it now. */
function isRefusal({ kind }: BorrowerRequest, { code }: RpcError): boolean {
  if (code === 'gone' && MAY_COME_TOO_LATE.has(kind)) return true
  if (kind === 'unit.change' || kind === 'reservation.read') return code === 'reserved' || code === 'prevented'
  return kind === 'volume.exclusive' && (code === 'space' || code === 'reserved' || code === 'no-medium')
}

/** A message that does not fit the contract is answered, if it has an id, and does not end the engine. */
function guarded(port: MessagePort, take: (message: unknown) => void, log: Logger): (message: unknown) => void {
  return message => {
    try {
      take(message)
    } catch (error) {
      log.error({ err: error }, 'a message that does not fit the contract')
      const id = typeof message === 'object' && message !== null && 'id' in message ? message.id : undefined
      if (typeof id === 'number')
        port.postMessage({ id, ok: false, code: 'bad-request', why: (error as Error).message })
    }
  }
}
