/**
 * Requests of sessions that change the state of a logical unit: carries them out, and has the other sessions told before they are answered.
 */
import { type BorrowerRequest, RpcError, type SharedUnitAttention } from '@scsipub/contract'
import type { StorageEngine } from './storage-engine.js'

type Change = Extract<BorrowerRequest, { kind: 'unit.change' }>

/** Establishes a unit attention for every session on the volume but one; resolves when all workers have. */
type Tell = (what: { volumeId: string; sessionId: number; condition: SharedUnitAttention }) => Promise<void>

/** Answers `unit.change`. What an engine before may have done is done again, and told again. Rejects with `RpcError`, see `UnitChange`. */
export async function changeUnit(engine: StorageEngine, request: Change, slot: number, tell: Tell): Promise<void> {
  const { volumeId, sessionId, port, change, again = false } = request
  const unit = await engine.unit(volumeId)
  const { reservations } = await engine.volume(volumeId)
  const nexus = { sessionId, slot }
  switch (change.name) {
    case 'reserve':
      return unit.reserve(nexus, () => isPlain(reservations.compatibleReserve(port)))
    case 'release':
      if (isPlain(reservations.compatibleReserve(port))) unit.release(sessionId)
      return
    case 'setMode':
      if (unit.setMode(change) || again) await tell({ volumeId, sessionId, condition: 'modeParametersChanged' })
      return
    case 'prevent':
      return unit.prevent(nexus, change.prevented)
    case 'eject':
      return unit.eject()
    case 'load':
      if (unit.load() || again) await tell({ volumeId, sessionId, condition: 'mediumMayHaveChanged' })
      return
  }
}

/** False when there is nothing to do for a nexus that has full access anyway. Throws `RpcError` 'reserved' [SPC-4 §5.13.3]. */
function isPlain(reserve: 'plain' | 'ignored' | 'conflict'): boolean {
  if (reserve === 'conflict') throw new RpcError('reserved', 'nexuses have registered for persistent reservations')
  return reserve === 'plain'
}
