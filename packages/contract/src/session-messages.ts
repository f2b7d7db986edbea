/**
 * Messages between the supervisor and a session worker. A session begins as a Piscina task (`SessionTask`) and ends as
 * that task's result (`SessionEnd`); what it asks in between goes over the worker's own port.
 */

import type { MessagePort } from 'node:worker_threads'
import type { JTDDataType } from 'ajv/dist/core.js'
import type { VolumeDescriptor } from './volume.js'

/**
 * One accepted connection. `fd` is a duplicate that the worker owns and closes; addresses are `ip:port` (IPv6 in brackets)
 * as the kernel reports them.
 */
export const sessionTaskSchema = {
  properties: {
    sessionId: { type: 'uint32' },
    fd: { type: 'uint32' },
    localAddress: { type: 'string' },
    remoteAddress: { type: 'string' },
  },
} as const
export type SessionTask = JTDDataType<typeof sessionTaskSchema>

/** How a session ended; `why` is for the log. */
export const sessionEndSchema = {
  properties: {
    outcome: { enum: ['logout', 'closed', 'refused', 'dropped', 'reinstated', 'drained'] },
    why: { type: 'string' },
  },
} as const
export type SessionEnd = JTDDataType<typeof sessionEndSchema>

/** What Piscina gives every session worker as `workerData`. */
export interface SessionWorkerData {
  slots: SharedArrayBuffer
}

/** First word of a booted worker, by `parentPort`: its slot and the far ends of its two ports. */
export interface WorkerReady {
  kind: 'worker.ready'
  slot: number
  threadId: number
  supervisorPort: MessagePort
  enginePort: MessagePort
}

/** What a session asks of the supervisor. `isid` is 12 hex digits, `tsih` 0 for a new session. */
export const supervisorRequestSchema = {
  discriminator: 'kind',
  mapping: {
    'target.identify': {
      properties: {
        id: { type: 'uint32' },
        sessionId: { type: 'uint32' },
        initiatorName: { type: 'string' },
        sessionType: { enum: ['normal', 'discovery'] },
      },
      optionalProperties: { targetName: { type: 'string' } },
    },
    'nexus.open': {
      properties: {
        id: { type: 'uint32' },
        sessionId: { type: 'uint32' },
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
        sessionId: { type: 'uint32' },
        initiatorName: { type: 'string' },
        localAddress: { type: 'string' },
      },
    },
  },
} as const
export type SupervisorRequest = JTDDataType<typeof supervisorRequestSchema>

/** What the supervisor tells a session worker, unasked: end one session, or (drain) all of them. */
export const supervisorNoticeSchema = {
  discriminator: 'kind',
  mapping: {
    'session.end': {
      properties: {
        sessionId: { type: 'uint32' },
        outcome: { enum: ['reinstated', 'dropped'] },
        why: { type: 'string' },
      },
    },
    'worker.drain': { properties: { deadlineMs: { type: 'uint32' }, why: { type: 'string' } } },
  },
} as const
export type SupervisorNotice = JTDDataType<typeof supervisorNoticeSchema>

/** A LUN as a session sees it. `product` ≤ 16 ASCII characters; `thin`: blocks can be given back. */
export interface LunGrant {
  lun: number
  product: string
  readOnly: boolean
  removable: boolean
  thin: boolean
  volume: VolumeDescriptor
}

/** A login that is refused: the status of the Login Response [7143 §11.13.5] and the reason for the log. */
export interface LoginRefusal {
  class: number
  detail: number
  why: string
}

export interface TargetListing {
  name: string
  addresses: { address: string; portalGroupTag: number }[]
}

export interface SupervisorReplies {
  'target.identify': { auth: 'none' } | { refuse: LoginRefusal }
  'nexus.open': { tsih: number; nexusLost: boolean; luns: LunGrant[] } | { refuse: LoginRefusal }
  'targets.list': { targets: TargetListing[] }
}
