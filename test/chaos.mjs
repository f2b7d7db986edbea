// Kills the server, and cuts the power below the storage engine, again and again: `npm run chaos`, or `npm run chaos -- power --rounds 50`;
// `--help` says what else. Builds, and runs the rounds from dist/.

import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

run([join(ROOT, 'node_modules/typescript/bin/tsc'), '-b'])
run([join(ROOT, 'test/dist/chaos/main.js'), ...process.argv.slice(2)])

function run(args) {
  const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
