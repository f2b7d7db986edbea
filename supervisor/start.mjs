// What `npm start` calls: brings a fresh clone to the point where it can run, then runs the server in this very process, so
// that signals reach it. Needs nothing but Node and npm. Quiet when there is nothing to do; shows the output of what fails.
//
// Left out: building what only tests need.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const SERVICES = ['storage-engine', 'session-worker', 'supervisor']
/** What a person needs beside the server. */
const COMMAND = 'packages/cli'
const STAMP = join(ROOT, 'supervisor/dist/.built')
const OLDEST_NODE = 20

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE)
  fail(`needs Node ${OLDEST_NODE} or later; this is ${process.version}`)
if (!installed()) step('npm ci', 'npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'])
if (!built()) {
  const began = new Date() // what is edited while it builds is younger than the stamp
  step('the build', process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b', ...SERVICES, COMMAND])
  mkdirSync(dirname(STAMP), { recursive: true })
  writeFileSync(STAMP, '')
  utimesSync(STAMP, began, began)
}
await import('./dist/main.js')

/** Whether node_modules has what package-lock.json wants. Times first; a lock that is younger may still say the same. */
function installed() {
  const lock = join(ROOT, 'package-lock.json')
  const hidden = join(ROOT, 'node_modules/.package-lock.json')
  if (!existsSync(hidden)) return false
  if (statSync(hidden).mtimeMs >= statSync(lock).mtimeMs) return true
  const wanted = JSON.parse(readFileSync(lock, 'utf8')).packages
  const there = JSON.parse(readFileSync(hidden, 'utf8')).packages
  return Object.entries(wanted).every(([path, { version, link, optional }]) => {
    if (!path.startsWith('node_modules/') || optional) return true // optional: other platforms' binaries
    return link ? existsSync(join(ROOT, path)) : there[path]?.version === version
  })
}

/** Whether nothing has changed since the last build that succeeded. */
function built() {
  const built = statSync(STAMP, { throwIfNoEntry: false })?.mtimeMs
  if (built === undefined) return false
  const packages = readdirSync(join(ROOT, 'packages')).map(name => `packages/${name}`)
  const roots = ['tsconfig.base.json', 'node_modules/.package-lock.json']
  const own = [...packages, ...SERVICES].flatMap(path => [
    `${path}/tsconfig.json`,
    `${path}/package.json`,
    `${path}/src`,
  ])
  return [...roots, ...own].every(path => unchanged(join(ROOT, path), built))
}

/** Whether a file, or a folder with all in it, is older than `time`. A folder's own time tells of what has been deleted. */
function unchanged(path, time) {
  const status = statSync(path, { throwIfNoEntry: false })
  if (!status) return true
  if (status.mtimeMs >= time) return false
  return !status.isDirectory() || readdirSync(path).every(name => unchanged(join(path, name), time))
}

function step(name, command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' })
  if (status === 0) return
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`)
  fail(`${name} failed${error ? `: ${error.message}` : ''}`)
}

function fail(why) {
  process.stderr.write(`scsipub: ${why}\n`)
  process.exit(1)
}
