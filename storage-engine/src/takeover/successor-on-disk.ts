/**
 * A volume whose files were replaced (a snapshot, another size) by an engine that died before it had replaced the control block, too: the change was decided,
 * the switch journal has been carried out, and the manifest says what the volume is now. Its gate is closed, and nothing is in flight.
 */
import { ControlBlock, VOLUME_STAGE, type VolumeBase, type VolumeRecord, type VolumeSpec } from '@scsipub/contract'
import { SECTOR_BYTES } from '@scsipub/volume'
import type { NoteVolume } from './engine-notes.js'

/** The record of what the volume is now, which has been noted; undefined when its files are those of `taken`. */
export function successorOnDisk(
  taken: VolumeRecord,
  found: { readonly spec: VolumeSpec; readonly base: VolumeBase },
  note: NoteVolume,
): VolumeRecord | undefined {
  const { spec, base, control } = taken.descriptor
  const frozen = base?.layers[0]?.layerId !== found.base.layers[0]?.layerId
  if (!frozen && spec.sizeBytes === found.spec.sizeBytes) return undefined
  const before = new ControlBlock(control)
  const next = before.successor(found.spec.sizeBytes / SECTOR_BYTES, frozen ? 'empty' : 'same')
  next.stage = VOLUME_STAGE.materialised
  const descriptor = { ...taken.descriptor, spec: found.spec, base: found.base, control: next.shared }
  const changed = { descriptor, replaced: before.shared }
  note(changed)
  return { ...taken, ...changed }
}
