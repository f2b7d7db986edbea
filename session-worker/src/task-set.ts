/**
 * The tasks of a connection: commands that were not done in the section in which they arrived, and the I/O that is under way for them.
 *
 * An aborted task is never answered, but its I/O goes on until it settles; whoever must know that nothing touches the volume
 * any more waits for that, and the connection itself does not end before.
 */
import type { Command, Task } from './command.js'
import type { DataBudget } from './data-budget.js'
import type { CommandWindow } from './numbering.js'

/** Immediate commands do not count in the command window; so many may run beside it [7143 §4.2.2.1]. */
const MAX_IMMEDIATE_TASKS = 32

export interface TaskSetHost {
  /** What a settled task has produced is to be sent. */
  flush(): void
  /** A bug of ours. */
  crash(error: unknown): void
  /** No I/O is under way any more; told once, after `end`. */
  settled(): void
}

export class TaskSet {
  /** Memory for solicited data, of the whole session. */
  readonly budget: DataBudget
  readonly #byTag = new Map<number, Task>()
  readonly #window: CommandWindow
  readonly #host: TaskSetHost
  #immediate = 0
  #inFlight = 0
  /** Answers that wait for something. */
  #due = 0
  #ended = false

  constructor(window: CommandWindow, budget: DataBudget, host: TaskSetHost) {
    this.#window = window
    this.budget = budget
    this.#host = host
  }

  get size(): number {
    return this.#byTag.size
  }

  get(tag: number): Task | undefined {
    return this.#byTag.get(tag)
  }

  /** Whether I/O is under way, or an answer that waits for something. */
  get busy(): boolean {
    return this.#inFlight + this.#due > 0
  }

  get takesImmediate(): boolean {
    return this.#immediate < MAX_IMMEDIATE_TASKS
  }

  /** A task that holds nothing: for commands that may be done at once. */
  instant(command: Command): Task {
    return { command, aborted: false, pending: undefined, run: () => {} }
  }

  /** The command outlives this section: it counts in the window, and can be aborted. */
  keep(task: Task): void {
    const { command } = task
    this.#byTag.set(command.initiatorTaskTag, task)
    if (command.kept) return
    command.kept = true
    if (command.immediate) this.#immediate++
    else this.#window.taskBegan()
  }

  /** The command is about to be answered, or never will be. */
  close(command: Command): void {
    if (!command.kept) return
    command.kept = false
    this.#byTag.delete(command.initiatorTaskTag)
    if (command.immediate) this.#immediate--
    else this.#window.taskEnded()
    this.budget.release(command)
  }

  /**
   * Does `action`, then goes on with `then`, or with `failed` when it throws or rejects; at once where it can be done at once.
   */
  attempt(
    task: Task,
    action: () => undefined | Promise<void>,
    then: () => void,
    failed: (error: unknown) => void,
  ): void {
    let waiting: undefined | Promise<void>
    try {
      waiting = action()
    } catch (error) {
      return failed(error)
    }
    if (waiting === undefined) then()
    else this.during(task, waiting, then, failed)
  }

  /** Keeps `task` while `waiting` is under way. When it was aborted meanwhile, neither `then` nor `failed` is called. */
  during(task: Task, waiting: Promise<void>, then: () => void, failed: (error: unknown) => void): void {
    this.keep(task)
    this.#inFlight++
    const settle = (next: () => void) => {
      this.#inFlight--
      try {
        if (!task.aborted) next()
        this.#host.flush()
      } catch (error) {
        this.#host.crash(error)
      }
      if (this.#ended && this.#inFlight === 0) this.#host.settled()
    }
    task.pending = waiting.then(
      () => settle(then),
      error => settle(() => failed(error)),
    )
  }

  /** Goes on with what `waiting` brings, unless the connection has ended meanwhile. It counts as busy until then. */
  later<T>(waiting: Promise<T>, then: (value: T) => void): void {
    this.#due++
    this.eventually(
      waiting.finally(() => {
        this.#due--
      }),
      then,
    )
  }

  /** As `later`, for what may take as long as it likes. */
  eventually<T>(waiting: Promise<T>, then: (value: T) => void): void {
    waiting
      .then(value => {
        if (this.#ended) return
        then(value)
        this.#host.flush()
      })
      .catch((error: unknown) => this.#host.crash(error))
  }

  /** The tasks there are. */
  list(): Task[] {
    return [...this.#byTag.values()]
  }

  /** Ends the tasks that `which` chooses, without an answer; returns the I/O of theirs that is under way. It never rejects. */
  abort(which: (task: Task) => boolean): Promise<void>[] {
    const chosen = this.list().filter(which)
    for (const task of chosen) {
      task.aborted = true
      this.close(task.command)
    }
    return chosen.flatMap(task => (task.pending ? [task.pending] : []))
  }

  /**
   * Ends the tasks that `which` chooses, each by `answer` as soon as none of its I/O is under way any more, unless somebody has aborted it by then. Returns
   * what is waited for; it never rejects.
   */
  terminate(which: (task: Task) => boolean, answer: (command: Command) => void): Promise<void>[] {
    const waiting: Promise<void>[] = []
    for (const task of this.list().filter(which)) {
      const { command, pending } = task
      task.aborted = true
      const finish = () => {
        if (this.#byTag.get(command.initiatorTaskTag) !== task) return
        answer(command)
        this.#host.flush()
      }
      if (pending) waiting.push(pending.then(finish).catch((error: unknown) => this.#host.crash(error)))
      else finish()
    }
    return waiting
  }

  /** Its tasks go on in another worker: nothing comes of them here. */
  forsake(): void {
    this.#ended = true
  }

  /** Ends everything; `host.settled` is told, maybe at once, when no I/O is under way. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    void this.abort(() => true)
    if (this.#inFlight === 0) this.#host.settled()
  }
}
