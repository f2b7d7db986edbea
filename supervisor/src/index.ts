/** The public face: running a server inside a process of one's own. `main.ts` does so for `npm start`. */
export { type RunOptions, run } from './run.js'
export { Server, type ServerLimits, type ServerOptions } from './server.js'
