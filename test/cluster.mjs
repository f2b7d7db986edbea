// Fences with Pacemaker itself: `npm run cluster`. Two emulated Linux machines with Debian's corosync and pacemaker share a leased disk. Builds, and runs from dist/; the packages for
// the emulated machines are installed where that is possible. Takes minutes, and prints TAP.

import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GUESTS, missingPackages } from './run/debian.mjs'

const TEST = dirname(fileURLToPath(import.meta.url))
const SECONDS = 3600

const lacking = missingPackages(GUESTS)
if (lacking) {
  console.error(lacking)
  process.exit(1)
}
run([join(TEST, '../node_modules/typescript/bin/tsc'), '-b', '..'])
run(['--enable-source-maps', 'dist/cluster/pacemaker.js'])

function run(args) {
  const env = { ...process.env, TAP_TIMEOUT: String(SECONDS) }
  const { status } = spawnSync(process.execPath, args, { cwd: TEST, stdio: 'inherit', env })
  if (status !== 0) process.exit(status ?? 1)
}
