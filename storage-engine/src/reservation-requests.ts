/** Requests of sessions about persistent reservations: carries them out, and has all workers do their part before they are answered. */
import {
  type BorrowerRequest,
  type EngineNotice,
  type ReservationChanged,
  type ReservationChangeRecord,
  type ReservationRead,
  RpcError,
} from '@scsipub/contract'
import type { StorageEngine } from './storage-engine.js'

type Change = Extract<BorrowerRequest, { kind: 'reservation.change' }>
type Notice = Extract<EngineNotice, { kind: 'reservation.changed' }>

/** Tells every worker; resolves when each has established the unit attentions and ended the tasks. */
type Tell = (what: Pick<Notice, 'noticeId' | 'volumeId' | 'attentions' | 'abort'>) => Promise<void>

/** Answers `reservation.change`. Rejects with `RpcError` 'busy', 'io', 'gone'. */
export async function changeReservations(
  engine: StorageEngine,
  { volumeId, port, action, changeId }: Change,
  tell: Tell,
): Promise<ReservationChanged> {
  const { reservations } = await engine.volume(volumeId)
  // An engine before this one has made it, and did not come to answer.
  const made = reservations.changes.find(change => change.changeId === changeId)
  const change = made ?? (await reservations.change(port, action, changeId))
  if ('refused' in change && change.refused !== undefined) return { refused: change.refused }
  await tellOf(volumeId, change, tell)
  // After the answer has gone out.
  setImmediate(() => reservations.answered(changeId))
  return {}
}

/** Tells to the end what an engine before this one had begun to tell, also of changes that nobody asks for any more. */
export async function tellOfChanges(engine: StorageEngine, tell: Tell): Promise<void> {
  for (const volume of await engine.all()) {
    const { volumeId } = volume.descriptor.spec
    for (const change of volume.reservations.changes) await tellOf(volumeId, change, tell)
  }
}

async function tellOf(
  volumeId: string,
  { noticeId, attentions, abort }: Pick<ReservationChangeRecord, 'noticeId' | 'attentions' | 'abort'>,
  tell: Tell,
): Promise<void> {
  if (attentions.length === 0 && abort.length === 0) return
  await tell({ noticeId, volumeId, attentions: [...attentions], abort: [...abort] })
}

/** Answers `reservation.read`. Rejects with `RpcError` 'reserved' or 'gone'. */
export async function readReservations(engine: StorageEngine, volumeId: string): Promise<ReservationRead> {
  const { control, reservations } = await engine.volume(volumeId)
  // [SPC-2 §5.5.1]: regardless of who holds it.
  if (control.holder !== 0) throw new RpcError('reserved', 'a nexus has reserved the logical unit')
  return { state: reservations.state, canPersist: reservations.canPersist }
}
