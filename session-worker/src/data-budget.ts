/**
 * The memory that a session may hold for data it has asked for by R2T. Tasks are granted in the order of asking; one is always granted.
 */
import type { Command } from './command.js'
import type { WriteTask } from './write-task.js'

const BUDGET_BYTES = 32 << 20

export class DataBudget {
  readonly #waiting: WriteTask[] = []
  readonly #granted = new Map<Command, number>()
  #grantedBytes = 0

  /** Tags of the tasks that have room, and of those that wait for it, in order. */
  record(): { granted: number[]; waiting: number[] } {
    const waiting = this.#waiting.filter(task => !task.aborted).map(({ command }) => command.initiatorTaskTag)
    return { granted: [...this.#granted.keys()].map(({ initiatorTaskTag }) => initiatorTaskTag), waiting }
  }

  /** As another worker has recorded it; nobody is granted anything before `goOn`. */
  restore(granted: readonly WriteTask[], waiting: readonly WriteTask[]): void {
    for (const { command, expected } of granted) {
      this.#granted.set(command, expected)
      this.#grantedBytes += expected
    }
    this.#waiting.push(...waiting)
  }

  goOn(): void {
    this.#grant()
  }

  /** Runs `task` once there is room for its data. */
  ask(task: WriteTask): void {
    this.#waiting.push(task)
    this.#grant()
  }

  /** The command has ended: its room is free. */
  release(command: Command): void {
    const bytes = this.#granted.get(command)
    if (bytes === undefined) return
    this.#granted.delete(command)
    this.#grantedBytes -= bytes
    this.#grant()
  }

  #grant(): void {
    for (let task = this.#waiting[0]; task; task = this.#waiting[0]) {
      if (!task.aborted) {
        if (this.#grantedBytes > 0 && this.#grantedBytes + task.expected > BUDGET_BYTES) return
        this.#granted.set(task.command, task.expected)
        this.#grantedBytes += task.expected
      }
      this.#waiting.shift()
      if (!task.aborted) task.run()
    }
  }
}
