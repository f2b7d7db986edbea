// The compiler over all workspaces. Before it, what a removed or renamed source left behind in dist/ goes: tap runs what it
// finds there, and a test without a source would go on passing for ever.

import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { check, ROOT } from './command.mjs'

/** @param {string[]} workspaces folders */
export async function build(workspaces) {
  for (const workspace of workspaces) removeStale(join(ROOT, workspace))
  return check('node_modules/.bin/tsc', ['-b'])
}

function removeStale(folder) {
  const dist = join(folder, 'dist')
  if (!existsSync(dist)) return
  for (const entry of readdirSync(dist, { recursive: true })) {
    const name = /^(.*)\.(?:d\.ts|js)(?:\.map)?$/.exec(entry)?.[1]
    if (name !== undefined && !existsSync(join(folder, 'src', `${name}.ts`))) rmSync(join(dist, entry))
  }
}
