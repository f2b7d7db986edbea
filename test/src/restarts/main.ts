// Restarts everything under load for as long as was asked for, and tells what was done. Exit code 1 at a fault.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ACTIONS } from './random/actions.js'
import { readOptions } from './random/options.js'
import { randomRestarts } from './random/random-restarts.js'

async function main(): Promise<void> {
  const { minutes, seed, guest, planned, verbose } = readOptions(process.argv.slice(2))
  console.log(`seed ${seed}, ${minutes} minutes`)
  const actions = ACTIONS.filter(({ breaks }) => !(planned && breaks))
  const scratch = mkdtempSync(join(tmpdir(), 'scsipub-restarts-'))
  const progress = verbose ? { progress: (line: string) => console.log(line) } : {}
  const { lines } = await randomRestarts({ seed, seconds: minutes * 60, scratch, actions, guest, ...progress })
  console.log(lines.join('\n'))
  rmSync(scratch, { recursive: true })
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
