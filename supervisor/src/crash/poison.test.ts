// Who meets with faults too often is refused for a while, and nobody else.

import t from 'tap'
import { Poison } from './poison.js'

function lab() {
  const clock = { ms: 0 }
  const limits = { times: 2, withinMs: 1_000, refusedMs: 500 }
  return { clock, poison: new Poison(limits, () => clock.ms) }
}

t.test('the third fault within the time is one too many', async t => {
  const { clock, poison } = lab()
  t.notOk(poison.strike('a'))
  t.notOk(poison.strike('b'))
  clock.ms = 999
  t.notOk(poison.strike('a'))
  t.notOk(poison.refuses('a'))
  t.ok(poison.strike('a'))
  t.ok(poison.refuses('a'))
  t.notOk(poison.refuses('b'))
  clock.ms = 1_499
  t.notOk(poison.refuses('a'), 'it is over')
})

t.test('faults that are far apart do not add up', async t => {
  const { clock, poison } = lab()
  for (let time = 0; time < 10; time++) {
    clock.ms += 600
    t.notOk(poison.strike('a'))
  }
})
