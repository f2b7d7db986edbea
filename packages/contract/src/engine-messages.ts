/**
 * Messages to and from the storage engine. Every request carries an `id` and gets exactly one reply with the same id:
 * `{ id, ok: true, … }` or `{ id, ok: false, code, why }`.
 */

import type { MessagePort } from 'node:worker_threads'
import type { JTDDataType } from 'ajv/dist/core.js'
import { type ExclusiveOperation, type ExclusiveResults, exclusiveOperationSchema } from './exclusive.js'
import {
  type ReservationChanged,
  type ReservationRead,
  reservationActionSchema,
  reservationNoticeFields,
} from './reservation.js'
import { type SnapshotList, type SnapshotsTaken, snapshotItemSchema } from './snapshot.js'
import { unitAttentionFields } from './unit-attention.js'
import { unitChangeSchema } from './unit-change.js'
import { type VolumeDescriptor, type VolumeFiles, volumeSpecSchema } from './volume.js'

/** `again`: the engine that was asked first has died; whether it had done this nobody knows. */
const repeatable = { optionalProperties: { again: { type: 'boolean' } } } as const

/**
 * What the supervisor asks. `worker.attach` comes with the port to that worker, `worker.detach` when it is dead; sessions of it that are `kept` are about to go on in
 * another one, and `worker.orphans`, with the number from the answer, asks what notices they have missed by then, and tells which of them are lost after all. `volume.reopen`: a persistent volume that
 * exists, as it is; 'missing' when there is none. `volume.remove`: close a persistent volume, if it is open, and delete it for good; no error when there is
 * none. `volume.list`: the names of all persistent volumes.
 */
export const engineRequestSchema = {
  discriminator: 'kind',
  mapping: {
    'volume.open': { properties: { id: { type: 'uint32' }, spec: volumeSpecSchema }, ...repeatable },
    'volume.reopen': { properties: { id: { type: 'uint32' }, volumeId: { type: 'string' } }, ...repeatable },
    'volume.destroy': { properties: { id: { type: 'uint32' }, volumeId: { type: 'string' } }, ...repeatable },
    'volume.remove': { properties: { id: { type: 'uint32' }, volumeId: { type: 'string' } }, ...repeatable },
    'volume.list': { properties: { id: { type: 'uint32' } }, ...repeatable },
    /** Freezes persistent volumes that are open, all at one moment. */
    'volume.snapshot': {
      properties: { id: { type: 'uint32' }, items: { elements: snapshotItemSchema } },
      ...repeatable,
    },
    /** Grows a persistent volume that is open, also while it is in use; the size that it has already is no error. */
    'volume.resize': {
      properties: { id: { type: 'uint32' }, volumeId: { type: 'string' }, sizeBytes: { type: 'float64' } },
      ...repeatable,
    },
    'snapshot.list': { properties: { id: { type: 'uint32' } }, ...repeatable },
    /** Refused with 'in-use' while a volume or another snapshot stands on it. */
    'snapshot.destroy': { properties: { id: { type: 'uint32' }, snapshotId: { type: 'string' } }, ...repeatable },
    'worker.attach': { properties: { id: { type: 'uint32' }, slot: { type: 'uint32' }, port: {} }, ...repeatable },
    'worker.detach': {
      properties: { id: { type: 'uint32' }, slot: { type: 'uint32' } },
      optionalProperties: { kept: { elements: { type: 'uint32' } }, again: { type: 'boolean' } },
    },
    'worker.orphans': {
      properties: { id: { type: 'uint32' }, orphans: { type: 'uint32' }, lost: { elements: { type: 'uint32' } } },
      ...repeatable,
    },
    /** Every worker is attached to an engine that has taken over: what the one before had begun to tell them is told to the end. */
    'engine.resume': { properties: { id: { type: 'uint32' } }, ...repeatable },
    /** Answered at once: the thread is alive. */
    'engine.ping': { properties: { id: { type: 'uint32' } }, ...repeatable },
    'engine.close': { properties: { id: { type: 'uint32' } }, ...repeatable },
  },
} as const
type EngineRequestData = JTDDataType<typeof engineRequestSchema>
type Attach = Extract<EngineRequestData, { kind: 'worker.attach' }>
export type EngineRequest = Exclude<EngineRequestData, Attach> | (Omit<Attach, 'port'> & { port: MessagePort })

/**
 * What a session worker asks of the engine. `port` is its initiator port, see `Borrower`. `operationId`, `changeId`: a random number, by which an engine knows what another had done
 * before it, see `engine-record.ts`. `volume.abort`: have the tasks of every session on the volume ended, for a task management
 * function that session `sessionId` received. `volume.renew`: the descriptor as it is now, of one whose control block says `replaced`. `volume.sanitized`: answered when no sanitize operation is under way (any more).
 * `unit.attention`, `unit.change`: see the files of these names; `unit.leave`: the session has ended, and what it held of the unit's state
 * is free. `volume.abort` and the first two are answered when every worker has said
 * `notice.done` to the notice that comes of it.
 */
export const borrowerRequestSchema = {
  discriminator: 'kind',
  mapping: {
    'volume.materialise': { properties: { id: { type: 'uint32' }, volumeId: { type: 'string' } }, ...repeatable },
    'volume.renew': { properties: { id: { type: 'uint32' }, volumeId: { type: 'string' } }, ...repeatable },
    'volume.flush': { properties: { id: { type: 'uint32' }, volumeId: { type: 'string' } }, ...repeatable },
    'volume.exclusive': {
      properties: {
        id: { type: 'uint32' },
        volumeId: { type: 'string' },
        sessionId: { type: 'uint32' },
        port: { type: 'string' },
        operationId: { type: 'float64' },
        operation: exclusiveOperationSchema,
      },
      ...repeatable,
    },
    'volume.sanitized': { properties: { id: { type: 'uint32' }, volumeId: { type: 'string' } }, ...repeatable },
    'volume.abort': {
      properties: {
        id: { type: 'uint32' },
        volumeId: { type: 'string' },
        sessionId: { type: 'uint32' },
        reset: { type: 'boolean' },
      },
      ...repeatable,
    },
    'unit.attention': { properties: { id: { type: 'uint32' }, ...unitAttentionFields }, ...repeatable },
    'unit.change': {
      properties: {
        id: { type: 'uint32' },
        volumeId: { type: 'string' },
        sessionId: { type: 'uint32' },
        port: { type: 'string' },
        change: unitChangeSchema,
      },
      ...repeatable,
    },
    'reservation.change': {
      properties: {
        id: { type: 'uint32' },
        volumeId: { type: 'string' },
        port: { type: 'string' },
        changeId: { type: 'float64' },
        action: reservationActionSchema,
      },
      ...repeatable,
    },
    'reservation.read': { properties: { id: { type: 'uint32' }, volumeId: { type: 'string' } }, ...repeatable },
    'unit.leave': {
      properties: { id: { type: 'uint32' }, volumeId: { type: 'string' }, sessionId: { type: 'uint32' } },
      ...repeatable,
    },
    /** The session lives in this worker from now on, with what it holds of the unit's state. */
    'unit.adopt': {
      properties: { id: { type: 'uint32' }, volumeId: { type: 'string' }, sessionId: { type: 'uint32' } },
      ...repeatable,
    },
    /** Answered at once. Whatever any worker was told before that, this one has been told before the answer. */
    'engine.ping': { properties: { id: { type: 'uint32' } }, ...repeatable },
    'notice.done': { properties: { id: { type: 'uint32' }, noticeId: { type: 'uint32' } }, ...repeatable },
    'tokens.folder': { properties: { id: { type: 'uint32' } }, ...repeatable },
  },
} as const
type BorrowerRequestData = JTDDataType<typeof borrowerRequestSchema>
type Exclusive = Extract<BorrowerRequestData, { kind: 'volume.exclusive' }>
export type BorrowerRequest =
  | Exclude<BorrowerRequestData, Exclusive>
  | (Omit<Exclusive, 'operation'> & { operation: ExclusiveOperation })

/** What the engine tells every session worker, unasked. One with a `noticeId` is answered by `notice.done`. */
export const engineNoticeSchema = {
  discriminator: 'kind',
  mapping: {
    'gate.opened': { properties: { volumeId: { type: 'string' } } },
    /** The volume has other files or another size, and another control block. Answered when the worker goes by the new descriptor. */
    'volume.replaced': { properties: { noticeId: { type: 'uint32' }, descriptor: {} } },
    'tasks.abort': {
      properties: {
        noticeId: { type: 'uint32' },
        volumeId: { type: 'string' },
        sessionId: { type: 'uint32' },
        reset: { type: 'boolean' },
      },
    },
    'unit.attention': { properties: { noticeId: { type: 'uint32' }, ...unitAttentionFields } },
    'reservation.changed': { properties: { noticeId: { type: 'uint32' }, ...reservationNoticeFields } },
  },
} as const
type EngineNoticeData = JTDDataType<typeof engineNoticeSchema>
type Replaced = Extract<EngineNoticeData, { kind: 'volume.replaced' }>
export type EngineNotice =
  | Exclude<EngineNoticeData, Replaced>
  | (Omit<Replaced, 'descriptor'> & { descriptor: VolumeDescriptor })

export interface EngineReplies {
  'volume.open': VolumeDescriptor
  'volume.reopen': VolumeDescriptor
  'volume.destroy': Record<string, never>
  'volume.remove': Record<string, never>
  'volume.list': { volumeIds: string[] }
  'volume.snapshot': SnapshotsTaken
  'volume.resize': Record<string, never>
  'snapshot.list': SnapshotList
  'snapshot.destroy': Record<string, never>
  'worker.attach': Record<string, never>
  'worker.detach': { orphans: number }
  'worker.orphans': { notices: EngineNotice[] }
  'engine.resume': Record<string, never>
  'engine.ping': Record<string, never>
  'engine.close': Record<string, never>
  'volume.materialise': VolumeFiles
  'volume.renew': VolumeDescriptor
  'volume.flush': Record<string, never>
  'volume.exclusive': ExclusiveResults[keyof ExclusiveResults]
  'volume.sanitized': Record<string, never>
  'volume.abort': Record<string, never>
  'unit.attention': Record<string, never>
  'unit.change': Record<string, never>
  'unit.leave': Record<string, never>
  'unit.adopt': Record<string, never>
  'reservation.change': ReservationChanged
  'reservation.read': ReservationRead
  'notice.done': Record<string, never>
  /** Where workers keep the data that tokens of third-party copy stand for; emptied at each start. */
  'tokens.folder': { path: string }
}
