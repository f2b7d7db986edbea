/** GET LBA STATUS: reads the bitmap while nobody changes it. A volume without files is what it stands on. [SBC-3 §5.6] */
import { type ExclusiveOperation, type ExclusiveResults, VOLUME_STAGE } from '@scsipub/contract'
import { runsOfBase, SECTOR_BYTES } from '@scsipub/volume'
import type { EngineVolume } from '../engine-volume.js'

type Operation = Extract<ExclusiveOperation, { name: 'lbaStatus' }>

/** Throws VolumeError. */
export function lbaStatus(volume: EngineVolume, o: Operation): ExclusiveResults['lbaStatus'] {
  const { store, control, descriptor } = volume
  const { blockBytes } = descriptor.spec
  const range = { first: o.position / SECTOR_BYTES, count: o.length / SECTOR_BYTES }
  const options = { blockSectors: blockBytes / SECTOR_BYTES, limit: o.limit }
  const runs =
    control.stage === VOLUME_STAGE.unwritten
      ? runsOfBase(store.base, range, options)
      : store.provisioning().runs(range, options)
  return {
    runs: runs.map(({ first, count, status }) => ({
      position: first * SECTOR_BYTES,
      length: count * SECTOR_BYTES,
      status,
    })),
  }
}
