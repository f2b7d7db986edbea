// The benchmarks: `npm run bench`, or `npm run bench -- sessions`; `--help` says what else. Builds, and runs them from dist/.
// It installs nothing: a program that is missing is named, with the Debian package that has it.
//
// Left out: a verdict by exit code. Figures of a machine that does other things at the time are no reason to fail.

import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const PROGRAMS = { 'iscsi-perf': 'libiscsi-bin', 'qemu-img': 'qemu-utils', 'qemu-io': 'qemu-utils', tgtd: 'tgt' }
const QEMU_ISCSI = 'qemu-block-extra'

const missing = Object.entries(PROGRAMS).filter(([program]) => spawnSync(program, ['--version']).error)
if (missing.length > 0) {
  const packages = [...new Set([...missing.map(([, name]) => name), QEMU_ISCSI])].join(' ')
  fail(
    `missing: ${missing.map(([program]) => program).join(' ')}\n  apt-get install --no-install-recommends ${packages}`,
  )
}
run([join(ROOT, 'node_modules/typescript/bin/tsc'), '-b'])
run([join(ROOT, 'test/dist/bench/main.bench.js'), ...process.argv.slice(2)])

function run(args) {
  const { status, signal } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' })
  if (status !== 0) fail(`${args[0]} ended with ${signal ?? `code ${status}`}`)
}

function fail(why) {
  console.error(why)
  process.exit(1)
}
