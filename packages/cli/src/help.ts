/** What `--help` prints, from the table of commands. */
import type { Command } from './command.js'

const GLOBAL_OPTIONS = `  --server URL         where the server answers HTTP (SCSIPUB_SERVER; http://127.0.0.1:8080)
  --key KEY            API key of an account (better in SCSIPUB_KEY: others see what is typed)
  --admin-token TOKEN  admin.token of the server, for what only an operator may (better in SCSIPUB_ADMIN_TOKEN)
  --json               print what the server answers, as JSON
  --help               this text
`

/** All commands in short. */
export function helpText(commands: readonly Command[]): string {
  const lines = commands.map(({ words, args, about }) => {
    const call = `  scsipub ${words}${args === '' ? '' : ` ${args}`}`
    return call.length < 42 ? `${call.padEnd(42)}${about}` : `${call}\n${' '.repeat(42)}${about}`
  })
  return `scsipub: disks over iSCSI, leased from a scsipub server

${lines.join('\n')}

Options:
${GLOBAL_OPTIONS}
Exit codes: 0 done, 1 wrong usage, 2 refused by the server, 3 no server to be reached.
`
}

/** One command. */
export function commandHelp({ words, args, about, more, options = {} }: Command): string {
  const own = Object.entries(options).map(([name, { value, about }]) => {
    return `  ${`--${name}${value === undefined ? '' : ` ${value}`}`.padEnd(20)} ${about}\n`
  })
  return `Usage: scsipub ${words}${args === '' ? '' : ` ${args}`} [options]

${about}${more === undefined ? '' : `\n${more}`}

Options:
${own.join('')}${GLOBAL_OPTIONS}`
}
