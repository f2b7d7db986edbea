// The tests of a workspace: each compiled file is a program of its own, run by Node alone, that tells its results in TAP. Here are their count,
// and what failed in words. Skipped and unfinished tests count as failed: what cannot be tested has to be said in the test itself, as data with a reason.
//
// `tap run` does the same for who looks at one file (`npx tap dist/x.test.js` in a workspace). Not here: it has Node load every module of every
// process and thread through loaders for mocks and coverage, of which we have none, and that costs more than most tests do.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { command, ROOT } from './command.mjs'
import { atPlace, inLanes } from './places.mjs'

/** How long a test that is late may take to say so. */
const GRACE_MS = 20_000
const MAX_REMARKS = 200

/**
 * @param {string} workspace folder
 * @param {string[]} [files] compiled tests, relative to the workspace, in the order in which they begin; all that there are unless told
 * @param {number} [atOnce] how many of them may run at the same time; as many as there are places unless told
 */
export async function tap(workspace, files = testsOf(workspace), atOnce = undefined) {
  const { tap: settings } = JSON.parse(readFileSync(join(ROOT, workspace, 'package.json'), 'utf8'))
  const works = files.map(file => () => runFile(workspace, file, settings.timeout))
  const runs = await (atOnce ? inLanes(works, atOnce) : Promise.all(works.map(work => atPlace(work))))
  const sum = name => runs.reduce((total, run) => total + run[name], 0)
  return {
    passed: sum('passed'),
    failed: sum('failed'),
    seconds: sum('seconds'),
    output: runs.map(({ output }) => output).join(''),
  }
}

function testsOf(workspace) {
  const dist = readdirSync(join(ROOT, workspace, 'dist'), { recursive: true })
  return dist
    .filter(file => file.endsWith('.test.js') && !file.includes('fixtures/'))
    .toSorted()
    .map(file => join('dist', file))
}

/** @param {number} limit seconds */
async function runFile(workspace, file, limit) {
  const { code, stdout, output } = await command(process.execPath, ['--enable-source-maps', file], {
    cwd: join(ROOT, workspace),
    env: { TAP_TIMEOUT: String(limit) }, // by which the test itself ends what hangs, and tells of it
    limitMs: limit * 1000 + GRACE_MS,
  })
  const { passed, faults } = await judge(stdout)
  // A test that dies, runs out of time or finds nothing to do may have no failed assertion to show for it.
  if (faults.length === 0 && (code !== 0 || passed === 0)) faults.push(`it ended with code ${code}\n${output}`)
  const told = faults.map(fault => `${workspace}/${file}: ${fault}\n`).join('')
  return { passed, failed: faults.length, output: told && told + remarks(stdout) }
}

async function judge(text) {
  const { Parser } = await import('tap-parser')
  let passed = 0
  const faults = []
  for (const [kind, result] of Parser.parse(text, { flat: true })) {
    if (kind !== 'assert') continue
    const unfinished = result.skip || result.todo
    if (result.ok && !unfinished) passed++
    else faults.push(unfinished ? `skipped: ${result.name}` : describe(result))
  }
  return { passed, faults }
}

/** The last of what the test itself said besides, at all depths. */
function remarks(text) {
  const lines = text.match(/^ *# (?!Subtest|time=|\{).*$/gm) ?? []
  return lines
    .slice(-MAX_REMARKS)
    .map(line => `${line}\n`)
    .join('')
}

/** The title, where it stands, and the difference, as far as tap knows them. */
function describe({ name, diag }) {
  const { at, diff, stack, ...facts } = diag ?? {}
  const place = at ? `${at.fileName ?? at.file}:${at.lineNumber ?? at.line}` : ''
  const detail = diff ?? inspect(facts, { depth: 4, maxStringLength: 2000, breakLength: 120 })
  return `not ok: ${name}\n  ${[place, stack, detail].filter(Boolean).join('\n').replaceAll('\n', '\n  ')}`
}
