// The canary of the import rules: a small tree with one forbidden import of each kind, which the rules must name, and the
// permitted ones beside them, which they must leave alone. Without it, a rule that matches nothing would look obeyed.

import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { ROOT } from '../repository.js'

/** Importing file, what it imports (by path from the root), and the rule that has to object; nothing: it is allowed. */
const imports: readonly (readonly [from: string, to: string, rule?: string])[] = [
  ['packages/iscsi/src/a.ts', 'packages/bytes/src/index.ts'],
  ['packages/contract/src/a.ts', 'packages/scsi/src/index.ts'],
  ['packages/volume/src/a.ts', 'packages/posix/src/index.ts'],
  ['storage-engine/src/a.ts', 'packages/volume/src/index.ts'],
  ['supervisor/src/a.test.ts', 'packages/testkit/src/index.ts'],
  ['packages/contract/src/b.ts', 'packages/volume/src/index.ts', 'border-of-contract'],
  ['packages/iscsi/src/b.ts', 'packages/scsi/src/index.ts', 'border-of-iscsi'],
  ['packages/scsi/src/b.ts', 'packages/iscsi/src/index.ts', 'border-of-scsi'],
  ['packages/bytes/src/b.ts', 'packages/posix/src/index.ts', 'border-of-bytes'],
  ['packages/posix/src/b.ts', 'packages/bytes/src/index.ts', 'border-of-posix'],
  ['packages/config/src/b.ts', 'packages/contract/src/index.ts', 'border-of-config'],
  ['packages/state/src/b.ts', 'packages/contract/src/index.ts', 'border-of-state'],
  ['packages/volume/src/b.ts', 'storage-engine/src/index.ts', 'border-of-volume'],
  ['packages/testkit/src/b.ts', 'supervisor/src/index.ts', 'border-of-testkit'],
  ['supervisor/src/b.ts', 'session-worker/src/index.ts', 'border-of-supervisor'],
  ['session-worker/src/b.ts', 'storage-engine/src/index.ts', 'border-of-session-worker'],
  ['storage-engine/src/b.ts', 'supervisor/src/index.ts', 'border-of-storage-engine'],
  ['supervisor/src/c.ts', 'packages/testkit/src/index.ts', 'testkit-in-tests-only'],
  ['packages/scsi/src/h.test.ts', 'packages/scsi/src/fixtures/captured.ts'],
  ['packages/scsi/src/g.ts', 'packages/scsi/src/fixtures/captured.ts', 'fixtures-in-tests-only'],
  ['packages/scsi/src/c.ts', 'packages/scsi/src/x.test.ts', 'tests-are-leaves'],
  ['packages/scsi/src/d.ts', 'packages/scsi/src/nowhere.ts', 'resolvable'],
  ['packages/scsi/src/e.ts', 'packages/scsi/src/f.ts', 'no-circles'],
  // The way back: a circle is reported once, at its first file.
  ['packages/scsi/src/f.ts', 'packages/scsi/src/e.ts'],
]

interface Report {
  summary: { violations: { from: string; rule: { name: string } }[] }
}

t.test('every forbidden import is named by its rule, and nothing else is', async t => {
  const files: Record<string, string> = {}
  for (const [from, to] of imports) {
    const up = '../'.repeat(from.split('/').length - 1)
    files[from] = `import { x } from '${up}${to.replace(/\.ts$/, '.js')}'\nexport const y = x\n`
    if (!to.endsWith('nowhere.ts')) files[to] ??= 'export const x = 1\n'
  }
  const root = t.testdir()
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const report = JSON.parse(cruise(root, 'json').stdout) as Report

  const found = report.summary.violations.map(({ from, rule }) => `${from}: ${rule.name}`)
  const expected = imports.flatMap(([from, , rule]) => (rule ? [`${from}: ${rule}`] : []))
  t.same(found.toSorted(), expected.toSorted())
  t.equal(cruise(root, 'err').status, expected.length, 'and the form that the test run uses says so by its exit code')
})

function cruise(root: string, form: 'json' | 'err') {
  const folders = ['packages', 'storage-engine', 'session-worker', 'supervisor']
  const args = ['--config', join(ROOT, '.dependency-cruiser.mjs'), '--output-type', form, ...folders]
  return spawnSync(join(ROOT, 'node_modules/.bin/depcruise'), args, { cwd: root, encoding: 'utf8' })
}
