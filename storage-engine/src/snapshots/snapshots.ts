/**
 * Snapshots and sizes of volumes: takes snapshots of volumes that are open, lists them, destroys those on which nothing stands, grows volumes. One of these
 * at a time in the whole engine.
 */
import { randomUUID } from 'node:crypto'
import { renameSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RpcError, type SnapshotItem, type SnapshotList, type SnapshotsTaken } from '@scsipub/contract'
import { isOutOfSpace, SECTOR_BYTES } from '@scsipub/volume'
import { syncDirectory } from '../data-directory.js'
import type { EngineVolume } from '../engine-volume.js'
import { PersistentVolume } from '../persistent-volume.js'
import { Serial } from '../serial.js'
import { readManifest } from '../volume-manifest.js'
import { VOLUME_ID } from '../volume-spec.js'
import { makeEmptyNext, removeNext } from './next-files.js'
import { growth } from './resize.js'
import { readSnapshotManifest, type SnapshotManifest, snapshotExists, viewOf } from './snapshot-manifest.js'
import { userOf } from './snapshot-users.js'
import { type Change, type SwitcherParts, switchVolumes } from './switcher.js'
import { MAX_LAYERS } from './volume-base.js'

export interface SnapshotsParts extends SwitcherParts {
  readonly bootId: string
  /** A volume that is open. Throws `RpcError` 'gone'. */
  readonly volume: (volumeId: string) => Promise<EngineVolume>
  /** All that are open, or being opened. */
  readonly volumes: () => Iterable<Promise<EngineVolume>>
}

export class Snapshots {
  readonly #parts: SnapshotsParts
  readonly #serial = new Serial()
  readonly #destroying = new Set<string>()

  constructor(parts: SnapshotsParts) {
    this.#parts = parts
  }

  /**
   * Finishes what an earlier server, or a failure, has left, before a volume is opened. Rejects with `RpcError` 'io' when that cannot be done and
   * concerns the volume.
   */
  async ready(volumeId: string): Promise<void> {
    const { journal } = this.#parts
    if (!journal.pending) return
    try {
      await this.#serial.run(() => journal.carryOut())
    } catch (error) {
      if (!journal.concerns(volumeId)) return
      const why = (error as Error).message
      throw new RpcError('io', `volume ${volumeId} is refused: a change of its files cannot be finished: ${why}`)
    }
  }

  /** Throws `RpcError` 'base-missing' when nothing new may stand on the snapshot, for it is going. */
  requireLasting(snapshotId: string | undefined): void {
    if (snapshotId !== undefined && this.#destroying.has(snapshotId))
      throw new RpcError('base-missing', `the snapshot ${snapshotId} is being destroyed`)
  }

  /**
   * Freezes volumes, all at one moment. Rejects with `RpcError`: 'bad-request', 'exists', 'too-deep', 'gone', 'busy', 'sanitizing', 'sanitize-failed', 'space' or 'io',
   * with nothing changed but see `switchVolumes`. `again`: an engine before may have taken them.
   */
  take(items: readonly SnapshotItem[], again = false): Promise<SnapshotsTaken> {
    return this.#serial.run(async () => {
      await this.#finishEarlier()
      const before = again ? this.#takenBefore(items) : undefined
      if (before) return { snapshots: before.map(viewOf), pausedMs: 0 }
      this.#requireNew(items)
      const taken: SnapshotManifest[] = []
      const places: string[] = []
      try {
        const changes: Change[] = []
        for (const { volumeId, snapshotId } of items) {
          const volume = await this.#volume(volumeId)
          const place = this.#parts.directory.volume(volumeId)
          requireShallow(volume)
          places.push(place)
          makeEmptyNext(place, { sizeBytes: volume.descriptor.spec.sizeBytes, bootId: this.#parts.bootId })
          const decide = () => {
            const manifest = readManifest(place, volumeId)
            const snapshot = manifestOf(volume, snapshotId, manifest.standsOn)
            taken.push(snapshot)
            return { volume: { ...manifest, standsOn: snapshotId }, snapshot }
          }
          changes.push({ volume, overlay: 'empty', decide, undo: () => {} })
        }
        const pausedMs = await switchVolumes(changes, this.#parts)
        return { snapshots: taken.map(viewOf), pausedMs }
      } catch (error) {
        // What was decided needs them.
        if (!this.#parts.journal.pending) for (const place of places) removeNext(place)
        throw asRpcError(error)
      }
    })
  }

  /** Grows a volume; tells whether its size has changed. Rejects with `RpcError`, as `take`. */
  resize(volumeId: string, sizeBytes: number): Promise<boolean> {
    return this.#serial.run(async () => {
      await this.#finishEarlier()
      const volume = await this.#volume(volumeId)
      const change = growth(volume, sizeBytes, this.#parts)
      if (!change) return false
      await switchVolumes([change], this.#parts)
      return true
    })
  }

  /** All snapshots; one that is decided and cannot be finished now is none yet. */
  async list(): Promise<SnapshotList> {
    const { directory, journal } = this.#parts
    // What hinders one volume must not hide the snapshots of all others, or no server could start on them.
    await this.#serial.run(() => this.#finishEarlier()).catch(() => undefined)
    const snapshots = []
    const damaged = []
    for (const snapshotId of directory.snapshotIds()) {
      if (journal.makes(snapshotId)) continue
      try {
        snapshots.push(viewOf(readSnapshotManifest(directory, snapshotId)))
      } catch (error) {
        damaged.push({ snapshotId, why: (error as Error).message })
      }
    }
    return { snapshots, damaged }
  }

  /** Deletes a snapshot, also one that is damaged; `again`: an engine before may have done so. Rejects with `RpcError` 'missing', 'in-use' or 'io'. */
  destroy(snapshotId: string, again = false): Promise<void> {
    return this.#serial.run(async () => {
      await this.#finishEarlier()
      const { directory } = this.#parts
      if (again && VOLUME_ID.test(snapshotId) && !snapshotExists(directory, snapshotId)) return
      if (!VOLUME_ID.test(snapshotId) || !snapshotExists(directory, snapshotId))
        throw new RpcError('missing', `there is no snapshot ${snapshotId}`)
      this.#destroying.add(snapshotId)
      try {
        const user = await userOf(directory, snapshotId, await this.#standingInMemory())
        if (user !== undefined)
          throw new RpcError('in-use', `the snapshot ${snapshotId} cannot be destroyed: ${user} stands on it`)
        const removing = directory.removingSnapshot(snapshotId)
        await rm(removing, { recursive: true, force: true })
        renameSync(directory.snapshot(snapshotId), removing)
        syncDirectory(dirname(removing))
        await rm(removing, { recursive: true, force: true })
      } catch (error) {
        throw asRpcError(error)
      } finally {
        this.#destroying.delete(snapshotId)
      }
    })
  }

  /** The snapshots, if each volume stands on its own at this moment: they were decided all at once. */
  #takenBefore(items: readonly SnapshotItem[]): SnapshotManifest[] | undefined {
    const { directory } = this.#parts
    const taken = items.every(
      ({ volumeId, snapshotId }) =>
        VOLUME_ID.test(volumeId) &&
        VOLUME_ID.test(snapshotId) &&
        snapshotExists(directory, snapshotId) &&
        readManifest(directory.volume(volumeId), volumeId).standsOn === snapshotId,
    )
    return taken ? items.map(({ snapshotId }) => readSnapshotManifest(directory, snapshotId)) : undefined
  }

  #requireNew(items: readonly SnapshotItem[]): void {
    const volumes = new Set(items.map(item => item.volumeId))
    const names = new Set(items.map(item => item.snapshotId))
    if (items.length === 0 || volumes.size < items.length || names.size < items.length)
      throw new RpcError('bad-request', 'a snapshot is of one or more volumes, each once and with a name of its own')
    for (const { snapshotId } of items) {
      if (!VOLUME_ID.test(snapshotId))
        throw new RpcError('bad-request', `${JSON.stringify(snapshotId)} cannot be the name of a snapshot`)
      if (snapshotExists(this.#parts.directory, snapshotId))
        throw new RpcError('exists', `there is a snapshot ${snapshotId} already`)
    }
  }

  async #volume(volumeId: string): Promise<PersistentVolume> {
    const volume = await this.#parts.volume(volumeId)
    if (volume instanceof PersistentVolume) return volume
    throw new RpcError('bad-request', `volume ${volumeId} is not persistent`)
  }

  /** The snapshots of which clones are open that have no manifest. */
  async #standingInMemory(): Promise<Set<string>> {
    const standing = new Set<string>()
    for (const opening of [...this.#parts.volumes()]) {
      const { spec } = (await opening.catch(() => undefined))?.descriptor ?? {}
      if (spec?.baseSnapshot !== undefined && spec.persistence === 'ephemeral') standing.add(spec.baseSnapshot)
    }
    return standing
  }

  async #finishEarlier(): Promise<void> {
    const { journal } = this.#parts
    try {
      if (journal.pending) await journal.carryOut()
    } catch (error) {
      throw new RpcError('io', `an earlier change of files cannot be finished: ${(error as Error).message}`)
    }
  }
}

function requireShallow({ descriptor }: PersistentVolume): void {
  const depth = descriptor.base?.layers.length ?? 0
  if (depth < MAX_LAYERS) return
  throw new RpcError(
    'too-deep',
    `volume ${descriptor.spec.volumeId} stands on ${depth} snapshots, one on the other, and there may be no more; copy it to a new volume to go on`,
  )
}

/** Of a volume that is frozen now. */
function manifestOf(
  { descriptor, control }: PersistentVolume,
  snapshotId: string,
  standsOn: string | undefined,
): SnapshotManifest {
  const { volumeId, sizeBytes, blockBytes, baseSnapshot, basePath } = descriptor.spec
  const under = standsOn ?? baseSnapshot
  return {
    format: 1,
    snapshotId,
    layerId: randomUUID(),
    volumeId,
    createdAt: new Date().toISOString(),
    sizeBytes,
    blockBytes,
    usedBytes: control.space.allocatedSectors * SECTOR_BYTES,
    ...(under !== undefined && { baseSnapshot: under }),
    ...(under === undefined && basePath !== undefined && { imagePath: basePath }),
  }
}

function asRpcError(error: unknown): RpcError {
  if (error instanceof RpcError) return error
  return new RpcError(isOutOfSpace(error) ? 'space' : 'io', (error as Error).message)
}
