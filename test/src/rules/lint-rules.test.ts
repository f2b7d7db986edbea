// The canary of the lint rules that guard correctness: each of these lines must be refused by the rule named beside it.

import { spawnSync } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../repository.js'

const refused: readonly (readonly [rule: string, source: string])[] = [
  ['suspicious/noExplicitAny', 'export const a = (b: any): unknown => b\n'],
  ['correctness/noUnusedVariables', 'const unused = 1\nexport const a = 2\n'],
  ['correctness/noUnusedImports', "import { join } from 'node:path'\n\nexport const a = 1\n"],
  ['style/useImportType', "import { Socket } from 'node:net'\n\nexport type A = Socket\n"],
  ['style/useNodejsImportProtocol', "import { join } from 'path'\n\nexport const a = join('b')\n"],
  ['nursery/noFloatingPromises', 'async function a(): Promise<void> {}\nexport function b(): void {\n  a()\n}\n'],
  ['suspicious/noTsIgnore', "// @ts-ignore\nexport const a: string = 'b'\n"],
  ['suspicious/noSkippedTests', "describe.skip('a', () => {})\n"],
  ['suspicious/noConsole', "console.log('a')\n"],
]

t.test('each rule refuses its example', async t => {
  const root = t.testdir({ src: {} })
  cpSync(join(ROOT, 'biome.json'), join(root, 'biome.json'))
  cpSync(join(ROOT, '.gitignore'), join(root, '.gitignore'))
  for (const [rule, source] of refused) {
    writeFileSync(join(root, 'src', 'example.ts'), source)
    const args = ['lint', '--error-on-warnings', '--reporter=json', 'src']
    const run = spawnSync(join(ROOT, 'node_modules/.bin/biome'), args, { cwd: root, encoding: 'utf8' })
    t.not(run.status, 0, `${rule}: refused`)
    t.match(run.stdout, `lint/${rule}`, `${rule}: by its name`)
  }
})
