// One tap run inside a workspace, its count, and what failed in words. Skipped and unfinished tests count as failed: what
// cannot be tested has to be said in the test itself, as data with a reason.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { command, ROOT } from './command.mjs'

/**
 * @param {string} workspace folder
 * @param {string[]} files compiled tests, relative to the workspace; none: all that the workspace's tap settings include
 */
export async function tap(workspace, files = []) {
  const scratch = mkdtempSync(join(tmpdir(), 'scsipub-tap-'))
  try {
    const raw = join(scratch, 'output.tap')
    const args = ['run', '--reporter=silent', `--output-file=${raw}`, ...files]
    const { code, output } = await command(join(ROOT, 'node_modules/.bin/tap'), args, { cwd: join(ROOT, workspace) })
    const { passed, faults } = await judge(raw)
    // A run that dies, runs out of time or finds no test may have no failed assertion to show for it.
    if (faults.length === 0 && (code !== 0 || passed === 0)) faults.push(`tap ended with code ${code}`)
    return { passed, failed: faults.length, output: [...faults, output].join('\n') }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

async function judge(raw) {
  const { Parser } = await import('tap-parser')
  let passed = 0
  const faults = []
  for (const [kind, result] of Parser.parse(readOrNothing(raw), { flat: true })) {
    if (kind !== 'assert') continue
    const unfinished = result.skip || result.todo
    if (result.ok && !unfinished) passed++
    else faults.push(unfinished ? `skipped: ${result.name}` : describe(result))
  }
  return { passed, faults }
}

/** The title, where it stands, and the difference, as far as tap knows them. */
function describe({ name, diag }) {
  const { at, diff, stack, ...facts } = diag ?? {}
  const place = at ? `${at.fileName ?? at.file}:${at.lineNumber ?? at.line}` : ''
  const detail = diff ?? inspect(facts, { depth: 4, maxStringLength: 2000, breakLength: 120 })
  return `not ok: ${name}\n  ${[place, stack, detail].filter(Boolean).join('\n').replaceAll('\n', '\n  ')}`
}

function readOrNothing(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
