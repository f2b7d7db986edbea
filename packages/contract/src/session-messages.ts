/**
 * Messages between the supervisor and a session worker. A connection begins as a Piscina task (`ConnectionTask`) and ends as
 * that task's result (`ConnectionEnd`); what it asks in between goes over the worker's own port. All connections of a session are
 * in one worker; a session is known by the connection that it began with and by its TSIH.
 */

import type { MessagePort } from 'node:worker_threads'
import type { ChapProven, LoginAuth } from '@scsipub/iscsi'
import type { JTDDataType } from 'ajv/dist/core.js'
import type { EngineNotice } from './engine-messages.js'
import type { ControlBlocks, SessionRecord } from './hand-over.js'
import type { CellPlace } from './session-cells.js'
import { type VolumeDescriptor, volumeDescriptorSchema } from './volume.js'

/**
 * One accepted connection. `fd` is a duplicate that the worker owns and closes; addresses are `ip:port` (IPv6 in brackets)
 * as the kernel reports them. `received`: another worker has handed the connection back, and these bytes (base64) had come by then. `adopted`: the
 * worker has the connection already, by `session.adopt`.
 */
export const connectionTaskSchema = {
  properties: {
    connectionId: { type: 'uint32' },
    fd: { type: 'uint32' },
    localAddress: { type: 'string' },
    remoteAddress: { type: 'string' },
  },
  optionalProperties: { received: { type: 'string' }, adopted: { type: 'boolean' } },
} as const
export type ConnectionTask = JTDDataType<typeof connectionTaskSchema>

/**
 * How a connection ended; `why` is for the log. `moved` it has not: its first login request has named a session (`tsih`), so
 * it goes on in that session's worker, with the bytes (base64) that were read. `handedOver` neither: it goes on where the record of its session goes.
 */
export const connectionEndSchema = {
  properties: {
    outcome: {
      enum: ['logout', 'closed', 'refused', 'dropped', 'reinstated', 'reset', 'drained', 'moved', 'handedOver'],
    },
    why: { type: 'string' },
  },
  optionalProperties: {
    handBack: { properties: { tsih: { type: 'uint16' }, received: { type: 'string' } } },
  },
} as const
export type ConnectionEnd = JTDDataType<typeof connectionEndSchema>

/** What Piscina gives every session worker as `workerData`. */
export interface SessionWorkerData {
  slots: SharedArrayBuffer
  /** See `WorkerCounters`. */
  counters: SharedArrayBuffer
}

/** First word of a booted worker, by `parentPort`: its slot and the far ends of its two ports. */
export interface WorkerReady {
  kind: 'worker.ready'
  slot: number
  threadId: number
  /** What the kernel knows the thread by, in /proc/self/task. */
  taskId: number
  supervisorPort: MessagePort
  enginePort: MessagePort
  /** Of a `MappingRegistry`: what it maps, for who outlives it. */
  mappings: SharedArrayBuffer
}

/** What a connection asks of the supervisor. `isid` is 12 hex digits, `tsih` 0 for a new session. */
export const supervisorRequestSchema = {
  discriminator: 'kind',
  mapping: {
    'target.identify': {
      properties: {
        id: { type: 'uint32' },
        connectionId: { type: 'uint32' },
        initiatorName: { type: 'string' },
        sessionType: { enum: ['normal', 'discovery'] },
      },
      optionalProperties: { targetName: { type: 'string' } },
    },
    // What an initiator says to the challenge of `target.identify`; values are hexadecimal digits [7143 §12.1.3].
    'chap.prove': {
      properties: {
        id: { type: 'uint32' },
        connectionId: { type: 'uint32' },
        initiatorName: { type: 'string' },
        sessionType: { enum: ['normal', 'discovery'] },
        algorithm: { enum: ['md5', 'sha1', 'sha256', 'sha3-256'] },
        user: { type: 'string' },
        response: { type: 'string' },
      },
      optionalProperties: {
        targetName: { type: 'string' },
        mutual: { properties: { identifier: { type: 'uint8' }, challenge: { type: 'string' } } },
      },
    },
    'nexus.open': {
      properties: {
        id: { type: 'uint32' },
        connectionId: { type: 'uint32' },
        initiatorName: { type: 'string' },
        sessionType: { enum: ['normal', 'discovery'] },
        isid: { type: 'string' },
        tsih: { type: 'uint16' },
        cid: { type: 'uint16' },
      },
      optionalProperties: { targetName: { type: 'string' } },
    },
    'targets.list': {
      properties: {
        id: { type: 'uint32' },
        connectionId: { type: 'uint32' },
        initiatorName: { type: 'string' },
        localAddress: { type: 'string' },
      },
    },
    // TARGET COLD RESET: the units are reset and the initiator is answered; what is left is to end the sessions [7143 §11.5.1].
    'target.reset': { properties: { id: { type: 'uint32' }, sessionId: { type: 'uint32' } } },
    // Which ports of these nodes have a session on the target of this one.
    'nexus.ports': {
      properties: {
        id: { type: 'uint32' },
        sessionId: { type: 'uint32' },
        nodes: { elements: { type: 'string' } },
      },
    },
    // What the supervisor has to know of a session for the case that its worker dies, see `StandingRecord`.
    'session.standing': {
      properties: {
        id: { type: 'uint32' },
        sessionId: { type: 'uint32' },
        version: { type: 'uint32' },
        /** A `StandingRecord`, as `v8.serialize` makes it. */
        record: {},
        controls: {},
        /** Of the connections. */
        cells: {
          elements: { properties: { connectionId: { type: 'uint32' }, memory: {}, index: { type: 'uint32' } } },
        },
      },
    },
    // What a notice wants has been done, with what came of it, or has failed.
    'notice.done': {
      properties: { id: { type: 'uint32' }, noticeId: { type: 'uint32' } },
      optionalProperties: { result: {}, failure: { type: 'string' } },
    },
  },
} as const
type SupervisorRequestData = JTDDataType<typeof supervisorRequestSchema>
type StandingData = Extract<SupervisorRequestData, { kind: 'session.standing' }>
export type StandingReport = Omit<StandingData, 'record' | 'controls' | 'cells'> & {
  record: Uint8Array
  controls: ControlBlocks
  cells: (CellPlace & { readonly connectionId: number })[]
}
export type SupervisorRequest = Exclude<SupervisorRequestData, StandingData> | StandingReport

const lunGrantSchema = {
  properties: {
    lun: { type: 'uint16' },
    product: { type: 'string' },
    physicalBlockBytes: { type: 'uint32' },
    readOnly: { type: 'boolean' },
    removable: { type: 'boolean' },
    thin: { type: 'boolean' },
    volume: volumeDescriptorSchema,
  },
} as const

/** A LUN as a session sees it. `product` ≤ 16 ASCII characters; `thin`: blocks can be given back. */
export type LunGrant = Omit<JTDDataType<typeof lunGrantSchema>, 'volume'> & { volume: VolumeDescriptor }

/**
 * What the supervisor tells a session worker, unasked: end one connection, or (drain) all of them; take LUNs from a session and give it others.
 * A notice with a `noticeId` is answered by `notice.done`, `session.luns` once nothing touches the volumes of the LUNs that were taken.
 *
 * A session goes from one worker to another by four of them, see `hand-over.ts`; `moveId` is the same in all. `session.export`: stop reading these connections, and
 * when nothing of theirs is under way, within `boundMs`, let go of them (`ExportReply`). `session.adopt`: take them, and do not begin; answered with the
 * numbers of the last notices of the storage engine that this worker has had by then. `session.notices`, to the first worker: what the storage engine has said since to those
 * that are gone; with `hadByNext`, those numbers, nothing more is kept for them. `session.go`, with that, to the second one: begin.
 */
export const supervisorNoticeSchema = {
  discriminator: 'kind',
  mapping: {
    'connection.end': {
      properties: {
        connectionId: { type: 'uint32' },
        outcome: { enum: ['reinstated', 'dropped', 'reset'] },
        why: { type: 'string' },
      },
    },
    /** The storage engine has died; this port leads to the one that has taken its place. */
    'engine.port': { properties: { port: {} } },
    'worker.drain': { properties: { deadlineMs: { type: 'uint32' }, why: { type: 'string' } } },
    'session.luns': {
      properties: {
        noticeId: { type: 'uint32' },
        sessionId: { type: 'uint32' },
        add: { elements: lunGrantSchema },
        remove: { elements: { type: 'uint16' } },
      },
    },
    'session.export': {
      properties: {
        noticeId: { type: 'uint32' },
        moveId: { type: 'uint32' },
        connectionIds: { elements: { type: 'uint32' } },
        boundMs: { type: 'uint32' },
      },
    },
    'session.adopt': {
      properties: {
        noticeId: { type: 'uint32' },
        moveId: { type: 'uint32' },
        record: {},
        controls: {},
        /** Of the connections, in the order of the record. */
        descriptors: { elements: { type: 'uint32' } },
      },
    },
    'session.notices': {
      properties: { noticeId: { type: 'uint32' }, moveId: { type: 'uint32' } },
      optionalProperties: { hadByNext: { elements: { type: 'uint32' } } },
    },
    'session.go': { properties: { noticeId: { type: 'uint32' }, moveId: { type: 'uint32' }, notices: {} } },
  },
} as const
type SupervisorNoticeData = JTDDataType<typeof supervisorNoticeSchema>
export type LunsNotice = Omit<Extract<SupervisorNoticeData, { kind: 'session.luns' }>, 'add'> & { add: LunGrant[] }
export type NoticesNotice = Extract<SupervisorNoticeData, { kind: 'session.notices' }>
export type ExportNotice = Extract<SupervisorNoticeData, { kind: 'session.export' }>
export type AdoptNotice = Omit<Extract<SupervisorNoticeData, { kind: 'session.adopt' }>, 'record' | 'controls'> & {
  record: SessionRecord
  controls: ControlBlocks
}
export type GoNotice = Omit<Extract<SupervisorNoticeData, { kind: 'session.go' }>, 'notices'> & {
  notices: EngineNotice[]
}
type PortNotice = Omit<Extract<SupervisorNoticeData, { kind: 'engine.port' }>, 'port'> & { port: MessagePort }
export type SupervisorNotice =
  | Exclude<SupervisorNoticeData, { kind: 'session.luns' | 'session.adopt' | 'session.go' | 'engine.port' }>
  | LunsNotice
  | AdoptNotice
  | GoNotice
  | PortNotice

/** A login that is refused: the status of the Login Response [7143 §11.13.5], the reason for the log, and where else to go. */
export interface LoginRefusal {
  class: number
  detail: number
  why: string
  targetAddress?: string
}

export interface TargetListing {
  name: string
  addresses: { address: string; portalGroupTag: number }[]
}

/**
 * `joins`: TSIH of the live session that the connection may be added to [7143 §6.3.1]. Of a new session: `nexusLost` when it took the place of
 * another one, `poweredOn` when a TARGET COLD RESET has ended the last one of this nexus.
 */
export interface SupervisorReplies {
  'target.identify': LoginAuth | { refuse: LoginRefusal }
  'chap.prove': ChapProven | { refuse: LoginRefusal }
  'nexus.open':
    | { tsih: number; nexusLost: boolean; poweredOn: boolean; luns: LunGrant[] }
    | { joins: number }
    | { refuse: LoginRefusal }
  'targets.list': { targets: TargetListing[] }
  'target.reset': Record<string, never>
  'nexus.ports': { ports: string[] }
  'session.standing': Record<string, never>
  'notice.done': Record<string, never>
}
