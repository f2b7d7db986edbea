/** Requests of sessions about persistent reservations: carries them out, and has all workers do their part before they are answered. */
import {
  type BorrowerRequest,
  type EngineNotice,
  type ReservationChanged,
  type ReservationRead,
  RpcError,
} from '@scsipub/contract'
import type { StorageEngine } from './storage-engine.js'

type Change = Extract<BorrowerRequest, { kind: 'reservation.change' }>
type Notice = Extract<EngineNotice, { kind: 'reservation.changed' }>

/** Tells every worker; resolves when each has established the unit attentions and ended the tasks. */
type Tell = (what: Pick<Notice, 'volumeId' | 'attentions' | 'abort'>) => Promise<void>

/** Answers `reservation.change`. Rejects with `RpcError` 'busy', 'io', 'gone'. */
export async function changeReservations(
  engine: StorageEngine,
  { volumeId, port, action }: Change,
  tell: Tell,
): Promise<ReservationChanged> {
  const { reservations } = await engine.volume(volumeId)
  const { refused, attentions, abort } = await reservations.change(port, action)
  if (refused !== undefined) return { refused }
  if (attentions.length > 0 || abort.length > 0) {
    await tell({ volumeId, attentions: [...attentions], abort: [...abort] })
  }
  return {}
}

/** Answers `reservation.read`. Rejects with `RpcError` 'reserved' or 'gone'. */
export async function readReservations(engine: StorageEngine, volumeId: string): Promise<ReservationRead> {
  const { control, reservations } = await engine.volume(volumeId)
  // [SPC-2 §5.5.1]: regardless of who holds it.
  if (control.holder !== 0) throw new RpcError('reserved', 'a nexus has reserved the logical unit')
  return { state: reservations.state, canPersist: reservations.canPersist }
}
