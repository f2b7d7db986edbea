/**
 * Disks that come to an operator's target, go from it, or grow, while initiators are logged in. What was written to one that goes stays in its files, and is there again when it comes
 * back under the same number.
 */
import type { Engine } from './engine.js'
import type { LunChange } from './lun-change.js'
import { type Disk, grantOf, type Target, type TargetDirectory, volumeSpec } from './targets.js'

export interface DiskChange {
  readonly add?: readonly Disk[]
  /** LUNs. */
  readonly remove?: readonly number[]
}

export interface DiskChangeParts {
  readonly directory: TargetDirectory
  readonly engine: Pick<Engine, 'ask'>
  readonly luns: LunChange
}

/**
 * Changes the disks of a target, by its full iSCSI name. Resolves when every session has taken it in; nothing of what was taken is in use then.
 * @throws Error when there is no such target of the operator's, or a LUN that is added is there already; RpcError when a volume cannot be opened
 */
export async function changeDisks(
  name: string,
  { add = [], remove = [] }: DiskChange,
  { directory, engine, luns }: DiskChangeParts,
): Promise<void> {
  const target = operatorsTarget(directory, name)
  const kept = () => (directory.find(name) ?? target).disks.filter(({ lun }) => !remove.includes(lun))
  const taken = add.find(({ lun }) => kept().some(disk => disk.lun === lun))
  if (taken) throw new Error(`${name} has LUN ${taken.lun} already`)
  const grants = await Promise.all(
    add.map(async disk =>
      grantOf(
        disk,
        await engine.ask({ kind: 'volume.open', spec: volumeSpec(target, disk, { id: 0, quotaBytes: 0 }) }),
      ),
    ),
  )
  // One synchronous section, see `LunChange`.
  directory.setDisks(target, [...kept(), ...add])
  const changes = [
    ...(remove.length > 0 ? [luns.removeLuns(target.name, remove)] : []),
    ...(grants.length > 0 ? [luns.addLuns(target.name, grants)] : []),
  ]
  await Promise.all(changes)
}

/**
 * Grows a disk. Resolves when every session has been told: they see the new size, and have CAPACITY DATA HAS CHANGED pending.
 * @throws Error when there is no such disk of the operator's; RpcError when the engine refuses
 */
export async function growDisk(
  name: string,
  { lun, sizeBytes }: Pick<Disk, 'lun' | 'sizeBytes'>,
  { directory, engine }: Pick<DiskChangeParts, 'directory' | 'engine'>,
): Promise<void> {
  const target = operatorsTarget(directory, name)
  const disk = target.disks.find(each => each.lun === lun)
  if (!disk) throw new Error(`${name} has no LUN ${lun}`)
  const { volumeId } = volumeSpec(target, disk, { id: 0, quotaBytes: 0 })
  await engine.ask({ kind: 'volume.resize', volumeId, sizeBytes })
  const { disks } = operatorsTarget(directory, name)
  directory.setDisks(
    target,
    disks.map(each => (each.lun === lun ? { ...each, sizeBytes } : each)),
  )
}

function operatorsTarget(directory: TargetDirectory, name: string): Target {
  const target = directory.find(name)
  if (!target || target.private || target.lease !== undefined) throw new Error(`the operator has no target ${name}`)
  return target
}
