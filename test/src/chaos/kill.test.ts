// A few rounds of SIGKILL in every run of the tests; `npm run chaos` has more.

import t from 'tap'
import { runKind } from './run-kind.js'

const ROUNDS = 10
const SEED = 20250101

await t.test(
  'a server that is killed at any instant has lost no answered write, and shows no other than old or new',
  async t => {
    const { figures } = await runKind('kill', {
      rounds: ROUNDS,
      seed: SEED,
      scratch: t.testdir(),
      progress: line => t.comment(line),
    })
    t.ok(figures.answered! > 50, `${figures.answered} of ${figures.operations} operations were answered`)
  },
)
