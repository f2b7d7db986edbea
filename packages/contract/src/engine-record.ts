/**
 * What outlives the storage engine's thread. The engine tells the supervisor of every change of this state before it answers whoever asked for the
 * change, in most cases before it makes it; when the thread dies, the next one begins with what was told, and where both differ, goes by that.
 * Files and the words of the control blocks outlive the thread by themselves.
 *
 * The same as plain data (`EngineExport`) is what another process of the server begins with. Left out: requests that were open. Those who asked ask again.
 */
import type { ReservationState } from '@scsipub/scsi'
import type { EngineNotice } from './engine-messages.js'
import type { VolumeDescriptor } from './volume.js'

/** A session and the worker that it is in. */
export interface NexusRecord {
  readonly sessionId: number
  readonly slot: number
}

/** A change of persistent reservations that was made and perhaps not answered: who has to be told of it. */
export interface ReservationChangeRecord {
  /** The asker's number for it. */
  readonly changeId: number
  readonly noticeId: number
  readonly attentions: readonly Extract<EngineNotice, { kind: 'reservation.changed' }>['attentions'][number][]
  readonly abort: readonly string[]
}

/** A sanitize operation of a volume that has no files to note it in. */
export interface SanitizingRecord {
  readonly method: 'erase' | 'overwrite'
  readonly data: Uint8Array
  readonly allowExit: boolean
  readonly failed: boolean
}

/** One volume that is open. */
export interface VolumeRecord {
  /** As it was told last. */
  readonly descriptor: VolumeDescriptor
  /** The control block that the present one replaces, as long as somebody may still go by it. */
  readonly replaced?: SharedArrayBuffer | undefined
  /** Who holds it by RESERVE. */
  readonly holder?: NexusRecord | undefined
  /** Who prevents the removal of its medium. */
  readonly prevents?: readonly NexusRecord[] | undefined
  readonly reservations?: ReservationState | undefined
  readonly changes?: readonly ReservationChangeRecord[] | undefined
  readonly sanitize?: SanitizingRecord | undefined
  /** Exclusive operations that engines before had done and perhaps not answered, by their numbers. */
  readonly doneOperations?: readonly number[] | undefined
}

/** What the engine tells the supervisor, unasked. */
export type EngineNote =
  /**
   * It has the data directory. `lockFd`: a descriptor that holds it, and is the supervisor's from now on; absent when the server held it already. `taskId`: the thread's number
   * in /proc/self/task.
   */
  | { readonly kind: 'engine.ready'; readonly lockFd?: number; readonly taskId: number }
  /** Of an open volume; what is not named stays as it was. The first note of a volume has its descriptor. */
  | { readonly kind: 'volume.noted'; readonly volumeId: string; readonly changed: Partial<VolumeRecord> }
  /** The volume is not open any more. */
  | { readonly kind: 'volume.forgotten'; readonly volumeId: string }

/**
 * What the supervisor gives the engine's thread. `memory`: of an `EngineMemory`. `mappings`: of a `MappingRegistry`, for what the thread maps. `taken`: the volumes that are open already; with it, also when it is empty, the
 * engine takes over: the server holds the data directory, and nothing in it is wiped that the volumes or tokens need.
 */
export interface StorageEngineData {
  readonly dataDir: string
  readonly logLevel: string
  readonly memory: SharedArrayBuffer
  readonly mappings: SharedArrayBuffer
  readonly taken?: readonly VolumeRecord[]
}

/** A volume's record without shared memory. `control`: the words of its control block; `replaced` is not needed where no worker knows a block. */
export interface ExportedVolume extends Omit<VolumeRecord, 'descriptor' | 'replaced'> {
  readonly descriptor: Omit<VolumeDescriptor, 'control'>
  readonly control: Uint8Array
}

/** The state of an engine, as plain data for another process (`v8.serialize` takes it). */
export interface EngineExport {
  readonly format: 1
  readonly volumes: readonly ExportedVolume[]
  /** The words of its `EngineMemory`. */
  readonly memory: Uint8Array
}
