// Restarts everything of a server at random while initiators use it: `npm run restarts`, or `npm run restarts -- --minutes 10 --seed 7`; `--help` says what else. Builds, and
// runs from dist/.

import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

run([join(ROOT, 'node_modules/typescript/bin/tsc'), '-b'])
run([join(ROOT, 'test/dist/restarts/main.js'), ...process.argv.slice(2)])

function run(args) {
  const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
