/** Why a command was not done, and with which exit code it ends. */

export const EXIT = { done: 0, usage: 1, refused: 2, unreachable: 3 } as const

export class CommandFailure extends Error {
  readonly kind: Exclude<keyof typeof EXIT, 'done'>
  readonly exitCode: number
  /** Further lines for whoever reads the message. */
  readonly more: readonly string[]

  constructor(kind: Exclude<keyof typeof EXIT, 'done'>, message: string, more: readonly string[] = []) {
    super(message)
    this.name = 'CommandFailure'
    this.kind = kind
    this.exitCode = EXIT[kind]
    this.more = more
  }
}

/** Wrong arguments. */
export function usage(message: string): CommandFailure {
  return new CommandFailure('usage', message)
}
