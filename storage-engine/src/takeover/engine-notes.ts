/**
 * What the engine tells the supervisor so that it outlives the engine's thread (contract/engine-record.ts). A note is on its way for good when the call
 * returns: what a thread has posted arrives, also when it dies at once.
 */
import type { VolumeRecord } from '@scsipub/contract'

export interface EngineNotes {
  /** Something of an open volume has changed, or is about to. */
  note(volumeId: string, changed: Partial<VolumeRecord>): void
  /** The volume is not open any more. */
  forget(volumeId: string): void
}

/** For an engine whose thread is the whole server. */
export const NO_NOTES: EngineNotes = { note: () => {}, forget: () => {} }

/** The notes of one volume. */
export type NoteVolume = (changed: Partial<VolumeRecord>) => void
