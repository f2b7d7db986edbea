/**
 * `switch.json`: that volumes go on with other files, decided for all of them at once. It is the moment at which a snapshot or a resize happens: without
 * the file nothing has happened, with it all of it is done to the end, by the server that wrote it or at the next opening of a volume, whatever
 * interrupts that. Every step may be done again; nobody uses the volumes until the file is gone.
 *
 *   before   next/ is complete and on the disk; so is all that the volume's own files hold, and the length of an overlay that grows: one that is found
 *            with another length has been damaged, and is not made to fit
 *   1        overlay and bitmap of the volume move into the snapshot's directory, where they are not there yet; both directories are synced,
 *            so that no name is given again before that is certain
 *   2        snapshot.json
 *   3        what is in next/ moves to the volume, over bitmaps that are not wanted any more; synced
 *   4        volume.json
 *   5        next/ goes
 *   6        switch.json goes, durably
 *
 * A volume that has been removed since, or taken away, has nothing left to change: what was decided of it is passed over.
 */
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { compileSchema, faults, RpcError } from '@scsipub/contract'
import { isOutOfSpace } from '@scsipub/volume'
import { type DataDirectory, syncDirectory } from '../data-directory.js'
import { filesIn } from '../volume-files.js'
import { type VolumeManifest, volumeManifestSchema, writeManifest } from '../volume-manifest.js'
import { removeWhole, writeWhole } from '../whole-file.js'
import { hasNext, nextOf, removeNext } from './next-files.js'
import { type SnapshotManifest, snapshotManifestSchema, writeSnapshotManifest } from './snapshot-manifest.js'

/** One volume: its new manifest, and the snapshot that takes over its files, unless it keeps its overlay. */
export interface Switch {
  readonly volume: VolumeManifest
  readonly snapshot?: SnapshotManifest
}

interface Content {
  format: 1
  switches: Switch[]
}

const isContent = compileSchema<Content>({
  properties: {
    format: { type: 'uint8' },
    switches: {
      elements: {
        properties: { volume: volumeManifestSchema },
        optionalProperties: { snapshot: snapshotManifestSchema },
      },
    },
  },
})

/** It cannot be said whether the change was decided: the file is there, or may come back. */
export class Undecided extends Error {}

export class SwitchJournal {
  readonly #directory: DataDirectory
  readonly #path: string
  #pending: boolean

  constructor(directory: DataDirectory) {
    this.#directory = directory
    this.#path = directory.switchJournal
    this.#pending = existsSync(this.#path)
  }

  /** Whether something that was decided has not been done. */
  get pending(): boolean {
    return this.#pending
  }

  /** Decides. Throws `RpcError` 'space' or 'io' with nothing decided, or `Undecided`. */
  commit(switches: readonly Switch[]): void {
    const content: Content = { format: 1, switches: [...switches] }
    try {
      writeWhole(this.#path, `${JSON.stringify(content, null, 2)}\n`)
      this.#pending = true
    } catch (error) {
      this.#withdraw(error)
      throw new RpcError(
        isOutOfSpace(error) ? 'space' : 'io',
        `the change cannot be noted: ${(error as Error).message}`,
      )
    }
  }

  #withdraw(cause: unknown): void {
    try {
      removeWhole(this.#path)
    } catch (error) {
      this.#pending = true
      throw new Undecided((error as Error).message, { cause })
    }
  }

  /** Does what was decided. Rejects with what could not be done: it is pending then, and may be tried again. */
  async carryOut(): Promise<void> {
    if (!existsSync(this.#path)) {
      // It was withdrawn, and must not come back when others have gone on.
      syncDirectory(dirname(this.#path))
      this.#pending = false
      return
    }
    for (const step of this.#read().switches) {
      this.#carryOut(step)
      await setImmediate()
    }
    removeWhole(this.#path)
    this.#pending = false
  }

  /** Whether a volume waits for something that cannot be done. */
  concerns(volumeId: string): boolean {
    if (!this.#pending) return false
    if (hasNext(this.#directory.volume(volumeId))) return true
    try {
      return this.#read().switches.some(({ volume }) => volume.spec.volumeId === volumeId)
    } catch {
      return false // whom it concerned shows in next/, or lacks files, which refuses it too
    }
  }

  /** Whether a snapshot of that name has been decided and is not finished. */
  makes(snapshotId: string): boolean {
    if (!this.#pending) return false
    try {
      return this.#read().switches.some(({ snapshot }) => snapshot?.snapshotId === snapshotId)
    } catch {
      return false
    }
  }

  #carryOut({ volume, snapshot }: Switch): void {
    const place = this.#directory.volume(volume.spec.volumeId)
    if (!existsSync(place)) return
    if (snapshot) this.#handOver(place, snapshot)
    const [now, next] = [filesIn(place), filesIn(nextOf(place))]
    let moved = false
    for (const name of ['overlayPath', 'bitmapPath', 'durablePath'] as const) {
      if (!existsSync(next[name])) continue
      renameSync(next[name], now[name])
      moved = true
    }
    if (moved) syncDirectory(nextOf(place))
    syncDirectory(place)
    writeManifest(place, volume)
    removeNext(place)
  }

  #handOver(place: string, snapshot: SnapshotManifest): void {
    const taken = this.#directory.snapshot(snapshot.snapshotId)
    mkdirSync(taken, { recursive: true, mode: 0o700 })
    const [from, to] = [filesIn(place), filesIn(taken)]
    for (const name of ['overlayPath', 'bitmapPath'] as const)
      if (!existsSync(to[name])) renameSync(from[name], to[name])
    for (const path of [taken, dirname(taken), place]) syncDirectory(path)
    writeSnapshotManifest(this.#directory, snapshot)
  }

  #read(): Content {
    const content: unknown = JSON.parse(readFileSync(this.#path, 'utf8'))
    if (!isContent(content)) throw new Error(`${this.#path} is not as it should be: ${faults(isContent)}`)
    if (content.format !== 1) throw new Error(`${this.#path} has the unknown format ${String(content.format)}`)
    return content
  }
}
