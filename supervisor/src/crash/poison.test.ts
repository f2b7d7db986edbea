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

t.test('another process goes on with what is known, and with what is left of the time', async t => {
  const one = lab()
  one.poison.strike('a')
  one.poison.strike('b')
  one.clock.ms = 400
  one.poison.strike('a')
  one.poison.strike('b')
  t.ok(one.poison.strike('b'))
  one.clock.ms = 600
  const two = lab()
  two.clock.ms = 5_000
  two.poison.import(one.poison.export())
  t.notOk(two.poison.refuses('a'))
  t.ok(two.poison.refuses('b'))
  two.clock.ms = 5_299
  t.ok(two.poison.refuses('b'))
  two.clock.ms = 5_300
  t.notOk(two.poison.refuses('b'), '500 ms after the fault')
  two.clock.ms = 5_399
  t.ok(two.poison.strike('a'), 'the third within 1,000 ms')
  const three = lab()
  three.poison.import(one.poison.export())
  three.clock.ms = 401
  t.notOk(three.poison.strike('a'), 'the first one counts no more')
})

t.test('who has met with no fault for long is forgotten', async t => {
  const { clock, poison } = lab()
  for (let time = 0; time < 3; time++) poison.strike('a')
  poison.strike('b')
  clock.ms = 499
  poison.strike('c')
  t.equal(poison.size, 3)
  clock.ms = 1_400
  poison.strike('d')
  t.equal(poison.size, 2, 'a and b are forgotten, c is not')
})
