// The command `scsipub`, as a user types it, against a server under test whose configuration has `ADMIN`.

import { join } from 'node:path'
import { ROOT } from '../repository.js'
import { type Ran, runProgram } from './run-program.js'
import type { Server } from './server.js'
import { ADMIN } from './shared-disk.js'

/** Runs `scsipub ARGS…`. Never throws: a test looks at the exit code. */
export function scsipub(server: Server, ...args: string[]): Promise<Ran> {
  const program = join(ROOT, 'node_modules/.bin/scsipub')
  return runProgram(program, ['--server', server.api, '--admin-token', ADMIN.token, ...args])
}

/** What `scsipub ARGS…` prints for people. @throws Error with its complaint unless it exits with 0 */
export async function scsipubText(server: Server, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await scsipub(server, ...args)
  if (code !== 0) throw new Error(`scsipub ${args.join(' ')}: exit code ${code}\n${stderr}`)
  return stdout
}

/** The same by `--json`, parsed. @throws Error, see `scsipubText` */
export async function scsipubJson<T>(server: Server, ...args: string[]): Promise<T> {
  return JSON.parse(await scsipubText(server, ...args, '--json')) as T
}
