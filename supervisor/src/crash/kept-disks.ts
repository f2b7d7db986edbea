/**
 * Anonymous disks whose session has ended by a fault of ours: kept for the same nexus (initiator name, ISID, target, and the party that it came from), which finds its
 * data at its next login, and destroyed when it does not come in time.
 *
 * The time goes on when another process takes over, and only that one acts on its end then.
 *
 * Meanwhile they count against the caps like the sessions that they had, so that nobody has more disks by way of our faults; but a login that would be refused for
 * that has them give way, the oldest first.
 */
import type { LoginRefusal } from '@scsipub/contract'
import type { Admission } from '../admission.js'
import type { Log } from '../log.js'
import { partyOf } from '../peer.js'

export interface KeptDisksParts {
  readonly admission: Pick<Admission, 'keep' | 'letGo'>
  readonly destroy: (volumeIds: readonly string[]) => void
  readonly log: Pick<Log, 'info'>
  readonly keptMs?: number
}

/** How long a disk is kept; the table of failures has it. */
const KEPT_MS = 30_000

interface Kept {
  readonly volumeIds: readonly string[]
  readonly peerAddress: string
  readonly untilMs: number
  /** None while nothing may go. */
  timer: NodeJS.Timeout | undefined
}

/** A disk on its way to another process, as plain data. `leftMs`: for how long it is still kept. */
export interface KeptEstate extends Pick<Kept, 'volumeIds' | 'peerAddress'> {
  readonly nexus: string
  readonly leftMs: number
}

export class KeptDisks {
  readonly #parts: KeptDisksParts
  readonly #kept = new Map<string, Kept>()
  #closed = false
  #held = false

  constructor(parts: KeptDisksParts) {
    this.#parts = parts
  }

  get size(): number {
    return this.#kept.size
  }

  /** Keeps the disks of a session that has ended; its count is the disks' now. False when there are none, or nothing is kept any more. */
  keep(nexus: string, { volumeIds, peerAddress }: Pick<Kept, 'volumeIds' | 'peerAddress'>): boolean {
    if (this.#closed || volumeIds.length === 0) return false
    this.#drop(nexus, 'another one took its place')
    this.#add({ nexus, volumeIds, peerAddress, leftMs: this.#parts.keptMs ?? KEPT_MS })
    this.#parts.log.info({ event: 'disk.kept', volumes: volumeIds })
    return true
  }

  /** From now on none goes because its time is over, until the answer is called: then those go at once whose time has ended meanwhile. */
  hold(): () => void {
    this.#held = true
    for (const kept of this.#kept.values()) clearTimeout(kept.timer)
    return () => {
      this.#held = false
      for (const [nexus, kept] of this.#kept) kept.timer = this.#timer(nexus, kept.untilMs)
    }
  }

  /** What another process goes on with. */
  export(): KeptEstate[] {
    const now = performance.now()
    return [...this.#kept].map(([nexus, { volumeIds, peerAddress, untilMs }]) => {
      return { nexus, volumeIds, peerAddress, leftMs: Math.max(0, untilMs - now) }
    })
  }

  /** Goes on with what another process has kept. */
  import(kept: readonly KeptEstate[]): void {
    for (const one of kept) this.#add(one)
  }

  #add({ nexus, volumeIds, peerAddress, leftMs }: KeptEstate): void {
    const untilMs = performance.now() + leftMs
    this.#kept.set(nexus, { volumeIds, peerAddress, untilMs, timer: this.#timer(nexus, untilMs) })
    this.#parts.admission.keep(peerAddress)
  }

  #timer(nexus: string, untilMs: number): NodeJS.Timeout | undefined {
    if (this.#held) return undefined
    return setTimeout(() => this.#drop(nexus, 'nobody came for it'), untilMs - performance.now()).unref()
  }

  /** Gives the disks back, and what they count. */
  take(nexus: string): readonly string[] | undefined {
    return this.#remove(nexus)?.volumeIds
  }

  /** Has disks of the party go, those first that have been kept longest, until `admit` refuses no more, or there are none left: the last word of `admit`. */
  makeRoom(peerAddress: string, admit: () => LoginRefusal | undefined): LoginRefusal | undefined {
    const party = partyOf(peerAddress)
    for (const [nexus, kept] of [...this.#kept]) {
      if (partyOf(kept.peerAddress) !== party) continue
      const refusal = admit()
      if (!refusal) return undefined
      this.#drop(nexus, 'another session needs its place')
    }
    return admit()
  }

  /** Destroys all, and keeps nothing any more. */
  close(): void {
    this.#closed = true
    for (const nexus of [...this.#kept.keys()]) this.#drop(nexus, 'the server is about to stop')
  }

  #drop(nexus: string, why: string): void {
    const kept = this.#remove(nexus)
    if (!kept) return
    this.#parts.log.info({ event: 'disk.dropped', volumes: kept.volumeIds, why })
    this.#parts.destroy(kept.volumeIds)
  }

  #remove(nexus: string): Kept | undefined {
    const kept = this.#kept.get(nexus)
    if (!kept) return undefined
    clearTimeout(kept.timer)
    this.#kept.delete(nexus)
    this.#parts.admission.letGo(kept.peerAddress)
    return kept
  }
}
