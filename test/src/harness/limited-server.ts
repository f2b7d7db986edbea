// The server as `npm start` starts it, but for its limits of time: those that a test gives in the environment. What a test waits for longer than any machine takes must not be over
// because that machine is slow.

import { command, type ServerLimits } from '@scsipub/supervisor'

/** Its path, in place of the server's own script. */
export const LIMITED_SERVER = new URL(import.meta.url).pathname
const VARIABLE = 'TEST_LIMITS'

export type Limits = Partial<Omit<ServerLimits, 'clock'>>

/** The environment that has these limits. */
export function limitsVariable(limits: Limits): NodeJS.ProcessEnv {
  return { [VARIABLE]: JSON.stringify(limits) }
}

if (process.argv[1] === LIMITED_SERVER)
  await command(process.argv.slice(2), JSON.parse(process.env[VARIABLE] ?? '{}') as Limits)
