/** What a command is: its words, its arguments and options, and what it does. */
import type { Client } from './client.js'
import type { Terminal } from './top/screen.js'

/** An option of a command; all take a value, unless `flag`. */
export interface CommandOption {
  readonly value?: string
  readonly about: string
}

/** What a command is given. `values` has its own options as they were typed. */
export interface Invocation {
  readonly client: Client
  readonly args: readonly string[]
  readonly values: Readonly<Record<string, string | boolean | undefined>>
  /** The account's key, or the administrator's token; throws `CommandFailure` when there is none. */
  readonly token: () => string
  /** The same, where a call can do without. */
  readonly tokenIfAny: () => string | undefined
  /** Where a person sits; undefined when nobody does. */
  readonly terminal: Terminal | undefined
}

/** What is shown: `json` as the API gave it, or `text` for a person. */
export interface Outcome {
  readonly json: unknown
  readonly text: string
}

export interface Command {
  /** `session create` */
  readonly words: string
  /** Arguments as the usage shows them: `[IMAGE[:SIZE] …]` */
  readonly args: string
  readonly minArgs: number
  readonly maxArgs: number
  readonly about: string
  /** Further explanation for `--help`. */
  readonly more?: string
  readonly options?: Readonly<Record<string, CommandOption>>
  readonly as: 'account' | 'admin' | 'anybody'
  readonly run: (invocation: Invocation) => Promise<Outcome>
}
