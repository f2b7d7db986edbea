// A few rounds of power cuts below the storage engine in every run of the tests; `npm run chaos` has more.

import t from 'tap'
import { runKind } from './run-kind.js'

const ROUNDS = 10
const SEED = 20250101

await t.test(
  'after a power cut at any instant all that was flushed is there, and every sector is old or new',
  async t => {
    const { figures } = await runKind('power', {
      rounds: ROUNDS,
      seed: SEED,
      scratch: t.testdir(),
      progress: line => t.comment(line),
    })
    t.ok(figures.states! > ROUNDS, `${figures.states} states after ${figures.fileChanges} changes of files`)
  },
)
