/**
 * A session on its way from one session worker to another: all that the next one needs to go on where the last one stopped, as plain data.
 *
 * There is nothing in it that `v8.serialize` cannot carry: numbers, text and bytes. What is no data goes beside it: a descriptor for each connection, and the
 * control blocks of its volumes. Counters and tags keep the names of the wire.
 *
 * A record is made at a moment when no I/O of the session is under way. What an initiator could notice is in it; what it cannot is not, such as the time of the last
 * input, or a sampled latency.
 */
import type { SessionParameters } from '@scsipub/iscsi'
import type { CopyReport, SenseCode } from '@scsipub/scsi'
import { compileSchema } from './rpc.js'
import type { LunGrant } from './session-messages.js'
import type { VolumeDescriptor } from './volume.js'
import type { IoKind } from './worker-counters.js'

/** Of this layout; another server version may have another one. */
export const HAND_OVER_VERSION = 1

/** A PDU as it came: header at the front, data at `dataAt`. */
export interface PduRecord {
  readonly bytes: Uint8Array
  readonly dataAt: number
  readonly length: number
}

/** A SCSI command under way. `lun` absent: there is no such unit. */
export interface CommandRecord {
  readonly initiatorTaskTag: number
  readonly lun?: number
  readonly reads: boolean
  readonly writes: boolean
  readonly expectedBytes: number
  readonly final: boolean
  readonly immediate: boolean
  readonly dataSn: number
  readonly io: IoKind
}

/** A command that waits for data of the initiator. `data`: what has come, with holes where R2Ts are half answered. */
export interface WriteRecord {
  readonly kind: 'write'
  readonly command: CommandRecord
  readonly cdb: Uint8Array
  readonly data: Uint8Array
  readonly received: number
  readonly solicited: number
  readonly unsolicited?: { readonly next: number; readonly dataSn: number }
  readonly transfers: readonly {
    readonly targetTransferTag: number
    readonly end: number
    readonly next: number
    readonly dataSn: number
  }[]
}

/** A command that waits until the initiator reads. The data comes from the volume, from `start` on, or is `data`: what has not been sent. */
export interface ReadRecord {
  readonly kind: 'read'
  readonly command: CommandRecord
  readonly wanted: number
  readonly sent: number
  readonly inBurst: number
  readonly from: { readonly start: number } | { readonly data: Uint8Array }
}

/** A SANITIZE that is answered when it has ended. */
export interface SanitizeRecord {
  readonly kind: 'sanitize'
  readonly command: CommandRecord
  readonly moved: number
}

export type TaskRecord = WriteRecord | ReadRecord | SanitizeRecord

/** Half a text request, and half of an answer to one. */
export interface TextRecord {
  readonly gathered: Uint8Array
  readonly exchange?: { readonly targetTransferTag: number; readonly rest?: Uint8Array }
}

/** A connection in the full feature phase. Its sleeping reads are in the order in which they go on. */
export interface PhaseRecord {
  readonly cid: number
  readonly statSn: number
  readonly own: Pick<
    SessionParameters,
    'headerDigest' | 'dataDigest' | 'maxRecvDataSegmentLength' | 'targetMaxRecvDataSegmentLength'
  >
  /** As the initiator has last declared it. */
  readonly maxRecvDataSegmentLength: number
  readonly transferTag: number
  readonly answersPings: boolean
  readonly text: TextRecord
  readonly tasks: readonly TaskRecord[]
}

/** What was said in a login so far: requests as they came, and the supervisor's answers. */
export type LoginTalkRecord =
  | { readonly kind: 'request'; readonly header: Uint8Array; readonly data: Uint8Array }
  | { readonly kind: 'reply'; readonly value: unknown }

export interface LoginRecord {
  readonly talk: readonly LoginTalkRecord[]
  /** Time that is left for it, in ms. */
  readonly remainingMs: number
  /** It was given to this worker because of its TSIH. */
  readonly handedBack: boolean
}

export interface ConnectionRecord {
  readonly connectionId: number
  readonly localAddress: string
  readonly remoteAddress: string
  /** Bytes that have come and were not acted upon. */
  readonly received: Uint8Array
  /** Bytes that the kernel has not taken. */
  readonly unsent: Uint8Array
  readonly stage: { readonly login: LoginRecord } | { readonly phase: PhaseRecord }
}

export interface LunRecord {
  readonly grant: Omit<LunGrant, 'volume'>
  readonly volume: Omit<VolumeDescriptor, 'control'>
  readonly unitAttentions: readonly SenseCode[]
  /** The session may hold the unit by RESERVE, or its medium. */
  readonly mayHold: boolean
}

export type CopyReportRecord = Omit<CopyReport, 'sense' | 'token'> & {
  readonly sense: Uint8Array | undefined
  readonly token: Uint8Array | undefined
}

/** What is known of ended copies, and the tokens of the session. */
export interface CopiesRecord {
  readonly backgroundTag: number
  readonly ended: readonly { readonly key: string; readonly lun: number; readonly report: CopyReportRecord }[]
  readonly tokens: readonly {
    readonly name: string
    readonly lun?: number
    readonly bytes: number
    readonly timeoutMs: number
  }[]
  readonly lost: readonly (readonly [name: string, why: SenseCode])[]
}

/** What the connections of a session share. */
export interface SharedRecord {
  readonly sessionId: number
  /** `isid` as 12 hex digits. */
  readonly parameters: Omit<SessionParameters, 'isid'> & { readonly isid: string }
  readonly expCmdSn: number
  readonly luns: readonly LunRecord[]
  /** Requests before their turn, and numbers that are passed over (without `cid`). */
  readonly early: readonly {
    readonly cmdSn: number
    readonly cid?: number
    readonly pdu: PduRecord
    readonly data: readonly PduRecord[]
  }[]
  /** Task management that waits for earlier commands. */
  readonly waiting: readonly { readonly cid: number; readonly pdu: Uint8Array }[]
  /** Memory for solicited data: task tags that have it, and those that wait for it, in order. */
  readonly budget: { readonly granted: readonly number[]; readonly waiting: readonly number[] }
  readonly copies?: CopiesRecord
  /** The last notices of the storage engine that it has had, by number. */
  readonly hadNotices: readonly number[]
}

/** A session with its connections, or one connection that has not logged in. Connections that are about to join are among `connections`. */
export interface SessionRecord {
  readonly version: number
  readonly session?: SharedRecord
  readonly connections: readonly ConnectionRecord[]
}

/**
 * What is known of a session beside the cells of its connections (`session-cells.ts`), as long as its worker lives. Where nothing is under way, cells and this make a
 * `SessionRecord`; the phases are in the order of the cells.
 */
export interface StandingRecord {
  readonly session: SharedRecord
  readonly phases: readonly PhaseRecord[]
}

/** Control blocks by volume. */
export type ControlBlocks = Readonly<Record<string, SharedArrayBuffer>>

/** Answer to `session.export`. `busy`: it goes on where it is; why it could not be moved now. */
export type ExportReply =
  | { readonly record: SessionRecord; readonly controls: ControlBlocks }
  | { readonly busy: string }

const connectionSchema = {
  properties: {
    connectionId: { type: 'uint32' },
    localAddress: { type: 'string' },
    remoteAddress: { type: 'string' },
    received: {},
    unsent: {},
    stage: {},
  },
} as const
const sharedSchema = {
  properties: {
    sessionId: { type: 'uint32' },
    parameters: {},
    expCmdSn: { type: 'uint32' },
    luns: { elements: { properties: { grant: {}, volume: {}, unitAttentions: {}, mayHold: { type: 'boolean' } } } },
    early: {},
    waiting: {},
    budget: {
      properties: { granted: { elements: { type: 'uint32' } }, waiting: { elements: { type: 'uint32' } } },
    },
    hadNotices: { elements: { type: 'uint32' } },
  },
  optionalProperties: { copies: {} },
} as const
/** Whether it is a record of this layout, as far as its outer form says so. */
export const isSessionRecord = compileSchema<SessionRecord>({
  properties: { version: { type: 'uint8' }, connections: { elements: connectionSchema } },
  optionalProperties: { session: sharedSchema },
})

/** The memory that a record refers to and nobody else does: it may be transferred with it. */
export function memoryOf(record: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>()
  const look = (value: unknown): void => {
    if (value instanceof Uint8Array) {
      if (value.buffer instanceof ArrayBuffer && value.byteLength === value.buffer.byteLength) found.add(value.buffer)
    } else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) look(part)
  }
  look(record)
  return [...found]
}
