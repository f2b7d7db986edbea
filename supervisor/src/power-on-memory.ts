/**
 * Nexuses whose target was reset as by power on, until they log in again and can be told: their sessions are gone, and a unit attention
 * has nowhere else to wait. [7143 §11.5.1, SAM-5 §5.14, §6.3.1]
 *
 * Whoever makes up names must not fill the memory, nor make another target's nexuses be forgotten: so many for each target, the oldest
 * go first.
 */

export const MAX_NEXUSES_PER_TARGET = 1024

export class PowerOnMemory {
  readonly #byTarget = new Map<string, Set<string>>()

  /** The nexus has to be told. */
  remember(target: string, nexus: string): void {
    const nexuses = this.#byTarget.get(target) ?? new Set()
    this.#byTarget.set(target, nexuses)
    nexuses.delete(nexus)
    nexuses.add(nexus)
    for (const oldest of nexuses) {
      if (nexuses.size <= MAX_NEXUSES_PER_TARGET) break
      nexuses.delete(oldest)
    }
  }

  /** All that is remembered, oldest first. */
  entries(): [target: string, nexus: string][] {
    return [...this.#byTarget].flatMap(([target, nexuses]) =>
      [...nexuses].map((nexus): [string, string] => [target, nexus]),
    )
  }

  /** Whether the nexus has to be told; it counts as told from now on. */
  take(target: string, nexus: string): boolean {
    const nexuses = this.#byTarget.get(target)
    const isThere = nexuses?.delete(nexus) ?? false
    if (nexuses?.size === 0) this.#byTarget.delete(target)
    return isThere
  }
}
