// Runs the kinds of chaos that were asked for, one after the other, and tells what was done. Exit code 1 at the first fault.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ChaosKind, readOptions } from './options.js'
import { runKind } from './run-kind.js'

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  console.log(`seed ${options.seed}, ${options.rounds} rounds of each kind`)
  for (const kind of options.kinds) await run(kind, options)
}

async function run(kind: ChaosKind, { rounds, seed, verbose }: ReturnType<typeof readOptions>): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'scsipub-chaos-'))
  const began = performance.now()
  const progress = verbose ? { progress: (line: string) => console.log(line) } : {}
  const { figures } = await runKind(kind, { rounds, seed, scratch, ...progress })
  const seconds = Math.round((performance.now() - began) / 1000)
  const counted = Object.entries(figures).map(([name, count]) => `${count} ${name}`)
  console.log(`${kind}: ${rounds} rounds in ${seconds} s without a fault; ${counted.join(', ')}`)
  rmSync(scratch, { recursive: true })
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
