/** GET LBA STATUS: reads the bitmap while nobody changes it. A volume without files is its base, and nothing behind that. [SBC-3 §5.6] */
import { type ExclusiveOperation, type ExclusiveResults, VOLUME_STAGE } from '@scsipub/contract'
import { PROVISIONING_STATUS, SECTOR_BYTES } from '@scsipub/volume'
import type { EngineVolume } from '../engine-volume.js'
import type { Extent } from './pieces.js'

type Operation = Extract<ExclusiveOperation, { name: 'lbaStatus' }>
type Run = ExclusiveResults['lbaStatus']['runs'][number]

/** Throws VolumeError. */
export function lbaStatus(volume: EngineVolume, o: Operation): ExclusiveResults['lbaStatus'] {
  const { store, control, descriptor } = volume
  const { blockBytes } = descriptor.spec
  if (control.stage === VOLUME_STAGE.unwritten)
    return { runs: baseRuns(o, store.baseBytes, blockBytes).slice(0, o.limit) }
  const range = { first: o.position / SECTOR_BYTES, count: o.length / SECTOR_BYTES }
  const runs = store.provisioning().runs(range, { blockSectors: blockBytes / SECTOR_BYTES, limit: o.limit })
  return {
    runs: runs.map(({ first, count, status }) => ({
      position: first * SECTOR_BYTES,
      length: count * SECTOR_BYTES,
      status,
    })),
  }
}

function baseRuns({ position, length }: Extent, baseBytes: number, blockBytes: number): Run[] {
  const end = position + length
  const baseEnd = Math.min(end, Math.max(position, Math.ceil(baseBytes / blockBytes) * blockBytes))
  const { mapped, deallocated } = PROVISIONING_STATUS
  return [
    { position, length: baseEnd - position, status: mapped },
    { position: baseEnd, length: end - baseEnd, status: deallocated },
  ].filter(run => run.length > 0)
}
