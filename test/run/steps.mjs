// What a test run consists of, in order: the list is the design. A step answers with its counts and its output.
// The tests of test/ are one step for each folder below test/src that has tests in it.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from './build.mjs'
import { check, ROOT } from './command.mjs'
import { FIRMWARE, GUESTS, INITIATORS, REDIS, SYSTEMD } from './debian.mjs'
import { install } from './install.mjs'
import { atPlace } from './places.mjs'
import { tap } from './tap.mjs'

const BIN = 'node_modules/.bin'

/** Debian packages by workspace and by folder of test/src; every other one needs none. */
const DEBIAN = {
  testkit: REDIS,
  state: REDIS,
  supervisor: REDIS,
  protocol: REDIS,
  restarts: INITIATORS,
  upgrade: [...INITIATORS, ...SYSTEMD],
  interop: [...INITIATORS, ...GUESTS, ...FIRMWARE, ...REDIS],
}

/** Those that take minutes, the longest first: they begin before the others of their step, lest one of them is left alone at the end. */
const LONG = ['linux-tolerance', 'conformance', 'linux-multipath', 'linux-fencing', 'linux-luns', 'linux-commands']

/** Steps of which only so many files run at the same time: each has an emulated machine or two, and every one wants a core. */
const AT_ONCE = { interop: 2 }

/**
 * @typedef {{ passed: number, failed: number, output: string }} StepResult
 * @typedef {{ name: string, group: 'prepare' | 'static' | 'unit' | 'spanning', fatal?: boolean, debian?: string[],
 *   run: () => Promise<StepResult> }} Step
 */

/** @returns {Step[]} every step; workspaces in the order of the root package.json, which is that of their dependencies */
export function allSteps() {
  const { workspaces } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const sources = workspaces.map(workspace => `${workspace}/src`)
  return [
    { name: 'install', group: 'prepare', fatal: true, run: install },
    { name: 'build', group: 'prepare', run: () => build(workspaces) },
    staticStep('lint', 'biome', ['ci', '--colors=off', '--error-on-warnings', '--max-diagnostics=200']),
    staticStep('imports', 'depcruise', ['--config', '.dependency-cruiser.mjs', ...sources]),
    staticStep('unused', 'knip', ['--no-config-hints']),
    ...workspaces.filter(workspace => workspace !== 'test').map(unitStep),
    ...spanningSteps(),
  ]
}

/**
 * @param {Step[]} steps
 * @param {string[]} names step names, `unit` (all workspaces by themselves) or `interop`; none: everything
 */
export function chooseSteps(steps, names) {
  if (names.length === 0) return steps
  const wanted = step => names.includes(step.name) || (names.includes('unit') && step.group === 'unit')
  if (!names.every(name => name === 'unit' || steps.some(step => step.name === name))) return []
  return steps.filter(step => wanted(step) || step.group === 'prepare')
}

function staticStep(name, program, args) {
  return { name, group: 'static', run: () => atPlace(() => check(`${BIN}/${program}`, args)) }
}

function unitStep(workspace) {
  const name = basename(workspace)
  return { name, group: 'unit', debian: DEBIAN[name], run: () => tap(workspace) }
}

function spanningSteps() {
  const src = join(ROOT, 'test/src')
  if (!existsSync(src)) return []
  const folders = readdirSync(src, { withFileTypes: true }).filter(entry => entry.isDirectory())
  return folders.flatMap(({ name }) => {
    const tests = readdirSync(join(src, name)).filter(file => file.endsWith('.test.ts'))
    const files = longFirst(tests).map(file => `dist/${name}/${file.replace(/\.ts$/, '.js')}`)
    const run = () => tap('test', files, AT_ONCE[name])
    return files.length === 0 ? [] : [{ name, group: 'spanning', debian: DEBIAN[name], run }]
  })
}

function longFirst(tests) {
  const isLong = file => LONG.includes(file.replace('.test.ts', ''))
  const long = LONG.map(name => `${name}.test.ts`).filter(file => tests.includes(file))
  return [...long, ...tests.filter(file => !isLong(file)).toSorted()]
}
