/**
 * Has volumes go on with other files while they are in use, several at one moment: all gates are closed, what is in flight ends, all is flushed, the change is
 * decided (switch-journal.ts) and done, and then the gates open. Whatever was answered before the call is in the old files, and nothing is that
 * was begun after its end. Who borrows the volumes is given the new descriptors, and waits at no time for more than that.
 *
 * A volume whose change was decided and cannot be done is closed: nobody could say what a write to it would hit. The next opening tries again.
 */
import { RpcError, type VolumeDescriptor } from '@scsipub/contract'
import { hindrance, isOutOfSpace } from '@scsipub/volume'
import type { DataDirectory } from '../data-directory.js'
import { translated } from '../exclusive-operations.js'
import type { PersistentVolume } from '../persistent-volume.js'
import { removeNext } from './next-files.js'
import { type Switch, type SwitchJournal, Undecided } from './switch-journal.js'
import { baseOfVolume } from './volume-base.js'

/** How long a change waits for I/O in flight. */
const TIMEOUT_MS = 4_000
/** A flush this short before the gate closes makes the one behind it short too. */
const SHORT_FLUSH_MS = 50
const MAX_FLUSHES = 4

export interface Change {
  readonly volume: PersistentVolume
  readonly overlay: 'same' | 'empty'
  /** Says what to write down, with the gate closed and everything on the disk; the files in next/ are there when it resolves. */
  decide(): Switch | Promise<Switch>
  /** Undoes what `decide` did, when it comes to nothing. */
  undo(): void
}

export interface SwitcherParts {
  readonly directory: DataDirectory
  readonly journal: SwitchJournal
  /** Gives every worker the new descriptor; resolves when all go by it. */
  readonly tell: (descriptor: VolumeDescriptor) => Promise<void>
}

/**
 * Makes the changes, all or none; one call at a time. Resolves with the time for which I/O waited, in ms. Rejects with `RpcError`: 'busy', 'gone',
 * 'sanitizing', 'sanitize-failed', 'space', 'io' with nothing changed; or 'io' with the volumes closed.
 */
export async function switchVolumes(changes: readonly Change[], parts: SwitcherParts): Promise<number> {
  await Promise.all(changes.map(({ volume }) => flushUntilShort(volume)))
  const replaced: PersistentVolume[] = []
  return nested(
    changes,
    ({ volume }, inner) => volume.exclusion.inTurn(inner),
    async () => {
      const began = performance.now()
      try {
        await nested(
          changes,
          ({ volume }, inner) => volume.exclusion.alone(inner, TIMEOUT_MS),
          () => translated(() => switchAlone(changes, parts, replaced)),
        )
        return performance.now() - began
      } finally {
        // Still in turn, so that no reservation or the like is made before all workers look at the block where it is noted.
        await Promise.all(replaced.map(({ descriptor }) => parts.tell(descriptor)))
        for (const volume of replaced) volume.replacementKnown()
      }
    },
  )
}

async function switchAlone(
  changes: readonly Change[],
  { directory, journal }: SwitcherParts,
  replaced: PersistentVolume[],
): Promise<void> {
  for (const { volume } of changes) {
    const { control, descriptor } = volume
    const fault = hindrance(control.stage, descriptor.spec.volumeId)
    if (fault) throw fault
  }
  await nested(
    changes,
    ({ volume }, inner) => volume.settled(inner),
    async () => {
      const switches = await decided(changes, directory, journal)
      try {
        await journal.carryOut()
      } catch (error) {
        throw abandoned(changes, error)
      }
      let failure: unknown
      for (const [index, change] of changes.entries()) {
        const error = goOn(change, switches[index]!, directory)
        if (error === undefined) replaced.push(change.volume)
        failure ??= error
      }
      if (failure !== undefined) throw abandoned([], failure)
    },
  )
}

/** Decides, or has nothing done. */
async function decided(
  changes: readonly Change[],
  directory: DataDirectory,
  journal: SwitchJournal,
): Promise<Switch[]> {
  const switches: Switch[] = []
  try {
    for (const change of changes) switches.push(await change.decide())
    journal.commit(switches)
    return switches
  } catch (error) {
    if (error instanceof Undecided) throw abandoned(changes, error)
    for (const { volume, undo } of changes) {
      undo()
      removeNext(directory.volume(volume.descriptor.spec.volumeId))
    }
    if (error instanceof RpcError) throw error
    throw new RpcError(isOutOfSpace(error) ? 'space' : 'io', `nothing was changed: ${(error as Error).message}`)
  }
}

/** The failure, if the volume cannot go on; it is closed then. */
function goOn({ volume, overlay }: Change, { volume: manifest }: Switch, directory: DataDirectory): unknown {
  try {
    const { quotaBytes } = volume.descriptor.spec
    volume.replace({ spec: { ...manifest.spec, quotaBytes }, base: baseOfVolume(directory, manifest), overlay })
    return undefined
  } catch (error) {
    volume.abandon()
    return error
  }
}

function abandoned(changes: readonly Change[], error: unknown): RpcError {
  for (const { volume } of changes) volume.abandon()
  return new RpcError(
    'io',
    `a change was decided and cannot be finished, open the volumes again: ${(error as Error).message}`,
  )
}

/** The pages that are flushed now are not flushed behind the gate; while they are, new ones come. */
async function flushUntilShort(volume: PersistentVolume): Promise<void> {
  for (let flushes = 0; flushes < MAX_FLUSHES; flushes++) {
    const began = performance.now()
    await volume.settled(async () => {})
    if (performance.now() - began < SHORT_FLUSH_MS) return
  }
}

/** `around` for each change, one within the other, and `innermost` within all. */
function nested<T>(
  changes: readonly Change[],
  around: (change: Change, inner: () => Promise<T>) => Promise<T>,
  innermost: () => Promise<T>,
): Promise<T> {
  const [first, ...rest] = changes
  return first ? around(first, () => nested(rest, around, innermost)) : innermost()
}
