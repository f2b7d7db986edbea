/**
 * The session workers as an operator knows them: by numbers 0 to N-1 that stay the same, whatever thread serves under them. A worker that is replaced or dies is followed
 * under its number by the next one that comes; what they have counted goes on counting.
 *
 * While a worker is replaced there is one thread more than numbers. It stands by, and takes the number of the first that goes.
 */
import { sumOfCounts, type WorkerCounters, type WorkerCounts, type WorkerHealth } from '@scsipub/contract'
import type { WorkerLife } from '../worker-life.js'

/** What the roster has to know of a worker. */
export type RosterWorker = Pick<WorkerLife, 'threadId' | 'slot' | 'connections' | 'retiring' | 'removed' | 'gone'>

/** Who serves under a number, and since when; `worker` is undefined while there is nobody. */
export interface Place<W extends RosterWorker = WorkerLife> {
  readonly number: number
  readonly worker: W | undefined
  /** Milliseconds since 1970; undefined without a worker. */
  readonly since: number | undefined
  readonly health: WorkerHealth | undefined
  /** Seconds that the worker has counted; they stand still when it hangs. */
  readonly beats: number | undefined
  /** Since the start of the server. */
  readonly counts: WorkerCounts
  readonly replaced: number
  readonly died: number
}

interface Seat<W> {
  readonly number: number
  sitter: { readonly worker: W; readonly since: number } | undefined
  past: WorkerCounts
  replaced: number
  died: number
}

export class WorkerRoster<W extends RosterWorker = WorkerLife> {
  readonly #seats: readonly Seat<W>[]
  readonly #standBy: W[] = []
  readonly #countersOf: (slot: number) => WorkerCounters
  #closed = false

  /** `workers`: how many there are to be. */
  constructor(workers: number, countersOf: (slot: number) => WorkerCounters) {
    this.#countersOf = countersOf
    this.#seats = Array.from({ length: workers }, (_, number) => {
      return { number, sitter: undefined, past: sumOfCounts([]), replaced: 0, died: 0 }
    })
  }

  /** A worker can be given connections from now on. */
  joined(worker: W): void {
    this.#standBy.push(worker)
    this.#seat()
    // Its slot is given to nobody else before this has run, so the counters are still its own.
    void worker.gone.then(() => this.#left(worker))
  }

  get places(): Place<W>[] {
    return this.#seats.map(seat => this.#placeOf(seat))
  }

  /** Who serves under that number; undefined when there is no such number. */
  place(number: number): Place<W> | undefined {
    const seat = this.#seats[number]
    return seat && this.#placeOf(seat)
  }

  /** The number that a worker serves under; undefined while it stands by, and when it has gone. */
  numberOf(worker: W): number | undefined {
    return this.#seats.find(({ sitter }) => sitter?.worker === worker)?.number
  }

  /** Whoever goes from now on does so since the server stops. */
  close(): void {
    this.#closed = true
  }

  #left(worker: W): void {
    const at = this.#standBy.indexOf(worker)
    if (at >= 0) this.#standBy.splice(at, 1)
    const seat = this.#seats.find(({ sitter }) => sitter?.worker === worker)
    if (!seat || this.#closed) return
    seat.past = sumOfCounts([seat.past, this.#countersOf(worker.slot).counts])
    seat.sitter = undefined
    if (worker.removed) seat.replaced++
    else seat.died++
    this.#seat()
  }

  #seat(): void {
    for (const seat of this.#seats) {
      if (seat.sitter || this.#standBy.length === 0) continue
      seat.sitter = { worker: this.#standBy.shift()!, since: Date.now() }
    }
  }

  #placeOf({ number, sitter, past, replaced, died }: Seat<W>): Place<W> {
    const counters = sitter && this.#countersOf(sitter.worker.slot)
    return {
      number,
      worker: sitter?.worker,
      since: sitter?.since,
      health: counters?.health,
      beats: counters?.beats,
      counts: counters ? sumOfCounts([past, counters.counts]) : past,
      replaced,
      died,
    }
  }
}
