// Writes docs/conformance.md: `npm run conformance`. It is the conformance test of `interop` itself that writes, in place of
// comparing, so that the document says what a test run gives and nothing else.

import { INITIATORS, missingPackages } from './run/debian.mjs'
import { allSteps, chooseSteps } from './run/steps.mjs'
import { tap } from './run/tap.mjs'

const lacking = missingPackages(INITIATORS)
if (lacking) fail(lacking)
for (const { name, run } of chooseSteps(allSteps(), ['install', 'build'])) {
  const { failed, output } = await run()
  if (failed > 0) fail(`${name}: ${output}`)
}
process.env.CONFORMANCE = 'write'
const { passed, failed, output } = await tap('test', ['dist/interop/conformance.test.js'])
if (failed > 0) fail(output)
console.log(`docs/conformance.md is written; ${passed} assertions passed`)

function fail(why) {
  console.error(why)
  process.exit(1)
}
