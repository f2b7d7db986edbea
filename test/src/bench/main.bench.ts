// Runs the parts of the benchmark that were asked for. Only one load runs at any time.

import { benchBitmap } from './bitmap.bench.js'
import { benchHandOver, benchUpgrade } from './hand-over.bench.js'
import { benchLeases } from './leases.bench.js'
import { describeMachine } from './machine.js'
import { benchMixes } from './mixes.bench.js'
import { type Options, readOptions } from './options.js'
import { benchReservations } from './reservations.bench.js'
import { benchSessions } from './sessions.bench.js'

const PARTS: Readonly<Record<string, (options: Options) => Promise<void>>> = {
  mixes: benchMixes,
  bitmap: benchBitmap,
  sessions: benchSessions,
  reservations: benchReservations,
  leases: benchLeases,
  'hand-over': benchHandOver,
  upgrade: benchUpgrade,
}

async function main(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
  const options = readOptions(process.argv.slice(2))
  console.log(await describeMachine())
  for (const part of options.parts) {
    console.log(`\n${part}, ${options.extent.rounds} rounds\n`)
    await PARTS[part]?.(options)
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
