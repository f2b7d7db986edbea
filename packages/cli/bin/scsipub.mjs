#!/usr/bin/env node
// The command `scsipub`, as npm links it. The program itself is compiled; `npm start` and `npm run build` do that.

import { existsSync } from 'node:fs'

const program = new URL('../dist/main.js', import.meta.url)
if (!existsSync(program)) {
  process.stderr.write('scsipub: not built yet; run `npm run build` in the checkout\n')
  process.exit(1)
}
await import(program.href)
