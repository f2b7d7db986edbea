/** The public face: running a server inside a process of one's own. `main.ts` does so for `npm start`. */
export { command } from './command.js'
export { createLog } from './log.js'
export { type RunOptions, run } from './run.js'
export { Server } from './server.js'
export type { ServerLimits, ServerOptions } from './server-options.js'
export type { DiskChange } from './target-disks.js'
export type { Disk } from './targets.js'
