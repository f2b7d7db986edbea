/** Entry of the process. */
import { command } from './command.js'

await command(process.argv.slice(2))
