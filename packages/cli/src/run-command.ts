/** Runs one command line: finds the command, reads its options, prints what comes of it. */
import { parseArgs } from 'node:util'
import { Client } from './client.js'
import type { Command, Invocation } from './command.js'
import { CommandFailure, EXIT, usage } from './failure.js'
import { commandHelp, helpText } from './help.js'
import { otherCommands } from './other-commands.js'
import { sessionCommands } from './session-commands.js'
import type { Terminal } from './top/screen.js'
import { topCommand } from './top/top-command.js'
import { upgradeCommand } from './upgrade-command.js'
import { workerCommands } from './worker-commands.js'

export interface CommandContext {
  readonly env: NodeJS.ProcessEnv
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** Where a person sits, if anybody does. */
  readonly terminal?: Terminal | undefined
}

type Values = Record<string, string | boolean | undefined>

const COMMANDS: readonly Command[] = [
  ...sessionCommands,
  ...otherCommands,
  ...workerCommands,
  topCommand,
  upgradeCommand,
]
const DEFAULT_SERVER = 'http://127.0.0.1:8080'
const GLOBAL = {
  server: { type: 'string' },
  key: { type: 'string' },
  'admin-token': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** Runs `scsipub ARGS…`; the value is the exit code. Everything printed goes to `out` and `err`. */
export async function runCommand(args: readonly string[], context: CommandContext): Promise<number> {
  try {
    await run(args, context)
    return EXIT.done
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error
    context.err(`scsipub: ${error.message}\n${error.more.map(line => `  ${line}\n`).join('')}`)
    return error.exitCode
  }
}

async function run(args: readonly string[], { env, out, terminal }: CommandContext): Promise<void> {
  const command = commandOf(args)
  const { values, positionals } = read(args, command)
  if (values['help'] === true) {
    out(command ? commandHelp(command) : helpText(COMMANDS))
    return
  }
  if (!command) throw unknown(positionals)
  const rest = positionals.slice(command.words.split(' ').length)
  if (rest.length < command.minArgs || rest.length > command.maxArgs)
    throw usage(`write: scsipub ${command.words} ${command.args}`.trimEnd())
  const outcome = await command.run(invocation({ command, args: rest, values, env, terminal }))
  out(values['json'] === true ? `${JSON.stringify(outcome.json, null, 2)}\n` : outcome.text)
}

/** The command that the words of a line name, wherever options stand among them. */
function commandOf(args: readonly string[]): Command | undefined {
  const options = Object.assign({}, GLOBAL, ...COMMANDS.map(optionsOf)) as typeof GLOBAL
  const { positionals } = parseArgs({ args: [...args], options, strict: false })
  return COMMANDS.find(({ words }) => words.split(' ').every((word, at) => positionals[at] === word))
}

function optionsOf({ options = {} }: Command): Record<string, { type: 'string' | 'boolean' }> {
  const own = Object.entries(options).map(([name, { value }]) => {
    return [name, { type: value === undefined ? ('boolean' as const) : ('string' as const) }] as const
  })
  return Object.fromEntries(own)
}

function read(args: readonly string[], command: Command | undefined): { values: Values; positionals: string[] } {
  try {
    const options = { ...(command && optionsOf(command)), ...GLOBAL }
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    return { values: values as Values, positionals }
  } catch (error) {
    const what = (error as Error).message.split('. ')[0]
    throw usage(`${what}; see scsipub${command ? ` ${command.words}` : ''} --help`)
  }
}

/** No command has these words; names those that begin alike. */
function unknown(positionals: readonly string[]): CommandFailure {
  const [first] = positionals
  if (first === undefined) return usage('say what to do; see scsipub --help')
  const alike = COMMANDS.filter(({ words }) => words.split(' ')[0] === first).map(({ words }) => words)
  if (alike.length > 0) return usage(`there are: ${alike.join(', ')}; see scsipub --help`)
  return usage(`there is no command "${first}"; see scsipub --help`)
}

function invocation(given: {
  command: Command
  args: readonly string[]
  values: Values
  env: NodeJS.ProcessEnv
  terminal: Terminal | undefined
}): Invocation {
  const { command, args, values, env, terminal } = given
  const server = String(values['server'] ?? env['SCSIPUB_SERVER'] ?? DEFAULT_SERVER)
  if (!/^https?:\/\/[^/]/.test(server))
    throw usage(`"${server}" is not the address of a server; write http://HOST:PORT`)
  const admin = command.as === 'admin'
  const [option, variable] = admin ? ['admin-token', 'SCSIPUB_ADMIN_TOKEN'] : ['key', 'SCSIPUB_KEY']
  const tokenIfAny = () => {
    const token = values[option] ?? env[variable]
    return token === undefined || token === '' ? undefined : String(token)
  }
  const token = () => {
    const found = tokenIfAny()
    if (found !== undefined) return found
    const whose = admin ? 'the token of the administrator' : 'the key of an account'
    throw usage(`this needs ${whose}; set ${variable}, or give --${option}`)
  }
  return { client: new Client({ server }), args, values, token, tokenIfAny, terminal }
}
