/** Entry of the process. Exit codes: 0 done, 1 wrong usage, 2 refused by the server, 3 no server to be reached. */
import { runCommand } from './run-command.js'

process.exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  out: text => void process.stdout.write(text),
  terminal: process.stdin.isTTY && process.stdout.isTTY ? { input: process.stdin, output: process.stdout } : undefined,
  err: text => void process.stderr.write(text),
})
