/** The mark of a sanitize operation of a volume that has no directory for it before it is written to, and none after a start: a note to the supervisor. */
import type { SanitizingRecord } from '@scsipub/contract'
import type { SanitizeMarker, SanitizePlan } from '../sanitize-marker.js'
import type { NoteVolume } from './engine-notes.js'

export class NotedMarker implements Pick<SanitizeMarker, 'write' | 'remove' | 'read'> {
  readonly #note: NoteVolume
  #found: SanitizingRecord | undefined

  /** `found`: what an engine before has noted. */
  constructor(note: NoteVolume, found: SanitizingRecord | undefined) {
    this.#note = note
    this.#found = found
  }

  write(plan: SanitizePlan, failed: boolean): void {
    this.#found = { ...plan, failed }
    this.#note({ sanitize: this.#found })
  }

  remove(): void {
    this.#found = undefined
    this.#note({ sanitize: undefined })
  }

  read(): { plan: SanitizePlan; failed: boolean } | undefined {
    if (!this.#found) return undefined
    const { failed, ...plan } = this.#found
    return { plan: { ...plan, data: Buffer.from(plan.data) }, failed }
  }
}
