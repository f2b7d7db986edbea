// The one command that tests everything: `npm test`, or `node test/run.mjs unit | interop | STEP…` for a part.
// It runs on a fresh clone with nothing but Node and npm: what is missing is installed first (Debian's packages only as
// root, else the command is printed). One line a step with its seconds; the output of a step only when it failed; a fault
// in one step does not hide those of the others. The last line is `N passed, N failed`: the assertions of all tap runs,
// plus one for every step that has none.
//
// Left out: watching, re-running what failed. A test that is right only sometimes is wrong.

import { missingPackages } from './run/debian.mjs'
import { allSteps, chooseSteps } from './run/steps.mjs'

const steps = allSteps()
const chosen = chooseSteps(steps, process.argv.slice(2))
if (chosen.length === 0) {
  console.error(`no such step; there are: unit interop ${steps.map(step => step.name).join(' ')}`)
  process.exit(1)
}

const lacking = missingPackages([...new Set(chosen.flatMap(step => step.debian ?? []))])
if (lacking) {
  console.error(lacking)
  process.exit(1)
}

const began = performance.now()
let passed = 0
let failed = 0
const [prepare, others] = [chosen.filter(isPrepare), chosen.filter(step => !isPrepare(step))]
let ready = true
for (const step of prepare) ready &&= (await run(step)) || !step.fatal
// All at once: what a step has to run waits for its place, those of the last steps first, since they take the longest.
if (ready) await Promise.all(others.toReversed().map(run))
console.log(title('all together', (performance.now() - began) / 1000))
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

function isPrepare({ group }) {
  return group === 'prepare'
}

/** Whether nothing failed. */
async function run(step) {
  const stepBegan = performance.now()
  const result = await step.run().catch(error => ({ passed: 0, failed: 1, output: String(error?.stack ?? error) }))
  const seconds = result.seconds ?? (performance.now() - stepBegan) / 1000
  passed += result.passed
  failed += result.failed
  const verdict = result.failed === 0 ? 'ok' : 'FAILED'
  console.log(`${title(step.name, seconds)}  ${verdict}  ${result.passed} passed, ${result.failed} failed`)
  if (result.failed > 0) console.log(`\n${result.output.trimEnd()}\n`)
  return result.failed === 0
}

function title(name, seconds) {
  return `${name.padEnd(18)} ${seconds.toFixed(1).padStart(6)} s`
}
