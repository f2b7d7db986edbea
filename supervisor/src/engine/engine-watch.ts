/**
 * Looks whether the storage engine's event loop turns: its beats in shared memory have to go up. Time counts from look to look and only so far, so that a process
 * that was stopped for a while does not make a spinning thread of an innocent one.
 */

/** So often it looks. */
const LOOK_MS = 250
/** Most that counts between two looks: the thread that looks may be late itself. */
const MAX_STEP_MS = 2 * LOOK_MS

export interface Watched {
  /** Goes up as long as the thread is well. */
  readonly beats: () => number
  /** How much of the time since the last look, in which the beats have stood still, counts; asked at each such look. */
  readonly counted: (stepMs: number) => number
  /** Called when the beats have stood still for half of `limitMs`: it may be time to prepare. */
  readonly onSuspicion: () => void
  /** Called when they go up again after that. */
  readonly onRecovery: () => void
  /** Called each time that the beats have stood still for `limitMs`. */
  readonly onSilence: () => void
  readonly limitMs: number
}

export class EngineWatch {
  readonly #watched: Watched
  readonly #timer: NodeJS.Timeout
  #beats: number
  #silentMs = 0
  #lookedMs = performance.now()
  #suspected = false

  constructor(watched: Watched) {
    this.#watched = watched
    this.#beats = watched.beats()
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const { beats, counted, limitMs } = this.#watched
    const now = beats()
    const turns = now !== this.#beats
    this.#beats = now
    const stepMs = Math.min(MAX_STEP_MS, performance.now() - this.#lookedMs)
    this.#lookedMs = performance.now()
    if (turns) return this.#recovered()
    this.#silentMs += counted(stepMs)
    if (this.#silentMs >= limitMs / 2 && !this.#suspected) {
      this.#suspected = true
      this.#watched.onSuspicion()
    }
    if (this.#silentMs < limitMs) return
    this.#silentMs = 0
    this.#suspected = false
    this.#watched.onSilence()
  }

  #recovered(): void {
    this.#silentMs = 0
    if (!this.#suspected) return
    this.#suspected = false
    this.#watched.onRecovery()
  }
}
