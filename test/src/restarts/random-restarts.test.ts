// A short run of what `npm run restarts` does for minutes.

import { testFolder } from '@scsipub/testkit'
import t from 'tap'
import { ACTIONS } from './random/actions.js'
import { randomRestarts } from './random/random-restarts.js'

const SEED = 20250101
const SECONDS = 10
const AT_LEAST = 4

await t.test('everything is restarted under initiators of all kinds, and none of them notices', async t => {
  const scratch = testFolder(t)
  const progress = (line: string) => t.comment(line)
  const result = await randomRestarts({ seed: SEED, seconds: SECONDS, atLeast: AT_LEAST, scratch, progress })
  for (const line of result.lines) t.comment(line)
  t.ok([...result.done.values()].reduce((sum, count) => sum + count, 0) >= AT_LEAST, 'several things were done to it')
  t.ok([...result.done.keys()].every(name => ACTIONS.some(action => action.name === name)))
  for (const [name, count] of result.loads) t.ok(count > 0, `${name}: ${count}`)
})
