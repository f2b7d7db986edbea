/**
 * Puts right what an engine that died has left of an open volume, before this engine does anything else with it. Workers have gone on with it all the
 * time: whatever they do under an open gate is whole.
 *
 * A gate that is closed says that the other was alone on the volume, or about to be. If nothing is in flight it may have been in the middle of something: then
 * what it had recorded is written again, an atomic write is finished, reservations are made what was noted, and the booked sectors are counted. If something
 * stays in flight it had not begun, and there is nothing to put right.
 */
import { ControlBlock, type EngineMemory, RpcError, VOLUME_STAGE, type VolumeRecord } from '@scsipub/contract'
import { countPresent, MappedBitmap, SECTOR_BYTES } from '@scsipub/volume'
import type { EngineVolume } from '../engine-volume.js'
import { PersistentVolume } from '../persistent-volume.js'
import type { UnitState } from '../unit-state.js'

/** How long it waits for I/O in flight: as long as others who want to be alone. */
const TIMEOUT_MS = 4_000

/** Takes over one volume; its gate is open then. Rejects with what makes it unusable. */
export async function takeOver(volume: EngineVolume, unit: UnitState | undefined, memory: EngineMemory): Promise<void> {
  if (volume.control.gateClosed) {
    try {
      await volume.exclusion.run(() => putRight(volume, unit, memory), TIMEOUT_MS)
    } catch (error) {
      const hadBegun = redoOf(volume, memory) !== undefined
      if (hadBegun || !(error instanceof RpcError && error.code === 'busy')) throw error
    }
  } else unit?.apply()
  volume.sanitizer.resume()
}

/** What an engine does last with a volume that it could not take over: all I/O ends, and whoever waits learns it. */
export function giveUp({ descriptor, replaced }: Pick<VolumeRecord, 'descriptor' | 'replaced'>): void {
  for (const shared of replaced ? [descriptor.control, replaced] : [descriptor.control]) {
    const control = new ControlBlock(shared)
    control.stage = VOLUME_STAGE.gone
    control.openGate()
  }
}

/** Whoever still goes by the control block that was replaced is to learn it. */
export function letGo(replaced: SharedArrayBuffer): void {
  const control = new ControlBlock(replaced)
  control.stage = VOLUME_STAGE.replaced
  control.openGate()
}

async function putRight(volume: EngineVolume, unit: UnitState | undefined, memory: EngineMemory): Promise<void> {
  const redo = redoOf(volume, memory)
  if (redo) {
    volume.store.restore(redo.position, redo.data)
    volume.control.endOperation()
    memory.clearRedo()
  }
  if (volume instanceof PersistentVolume) await volume.takeStock()
  else recount(volume)
  unit?.apply()
  volume.reservations.apply()
}

function redoOf({ descriptor }: EngineVolume, memory: EngineMemory) {
  const redo = memory.redo()
  return redo?.volumeId === descriptor.spec.volumeId ? redo : undefined
}

/** Books what the bitmap of an ephemeral volume says: the other may have died between the booking and the bits. */
function recount({ control, descriptor }: EngineVolume): void {
  if (control.stage === VOLUME_STAGE.unwritten || !descriptor.files) return
  const bitmap = new MappedBitmap(descriptor.files.bitmapPath, descriptor.spec.sizeBytes / SECTOR_BYTES, 'r')
  try {
    control.space.allocatedSectors = countPresent(bitmap.words) - countPresent(bitmap.deallocated)
  } finally {
    bitmap.unmap()
  }
}
