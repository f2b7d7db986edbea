// Each workspace names what it imports of the others, in package.json for npm and in tsconfig.json for the order in which
// they are built. An import without a reference builds as long as something else happens to be built before it: in a tree
// that has been built, but not in a fresh clone.

import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { ROOT } from '../repository.js'

interface Package {
  workspaces?: string[]
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}

const OURS = '@scsipub/'
const { workspaces = [] } = read<Package>('package.json')

for (const workspace of workspaces) {
  t.test(workspace, async t => {
    const imported = importsOf(join(ROOT, workspace, 'src'))
    const { references = [] } = read<{ references?: { path: string }[] }>(`${workspace}/tsconfig.json`)
    const { dependencies, devDependencies } = read<Package>(`${workspace}/package.json`)
    const depended = Object.keys({ ...dependencies, ...devDependencies }).filter(name => name.startsWith(OURS))
    t.same(
      references.map(({ path }) => basename(path)).toSorted(),
      imported,
      'tsconfig.json refers to what is imported',
    )
    t.same(
      depended.map(name => name.slice(OURS.length)).toSorted(),
      imported,
      'package.json depends on what is imported',
    )
  })
}

t.ok(workspaces.length > 0, 'there are workspaces')
t.ok(importsOf(join(ROOT, 'supervisor', 'src')).includes('state'), 'imports are seen')

/** The workspaces, by their folders' names, that the sources under `folder` import, sorted. */
function importsOf(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
  const found = files.flatMap(name => [
    ...readFileSync(join(folder, name), 'utf8').matchAll(/(?:from|import|import\() ?'@scsipub\/([a-z-]+)/g),
  ])
  return [...new Set(found.map(([, name]) => name ?? ''))].toSorted()
}

function read<T>(path: string): T {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as T
}
