/** How long an exclusive action waits for I/O in flight. */
import { setImmediate } from 'node:timers/promises'
import { ControlBlock } from '@scsipub/contract'
import t from 'tap'
import { Exclusion } from './exclusion.js'

function busy() {
  const control = ControlBlock.create(2048, 0)
  control.enter(1)
  return { control, exclusion: new Exclusion({ control, name: 'disk', opened: () => {} }) }
}

t.test('I/O that does not end makes it fail as busy, with the gate open', async t => {
  const { control, exclusion } = busy()
  await t.rejects(
    exclusion.run(() => t.fail('must not run'), 100),
    { code: 'busy' },
  )
  t.notOk(control.gateClosed)
})

t.test('the time in which the machine stood still does not count', async t => {
  const { control, exclusion } = busy()
  const waiting = exclusion.run(() => 'ran', 1000)
  while (!control.gateClosed) await Promise.resolve()
  const end = performance.now() + 1500
  while (performance.now() < end);
  await setImmediate() // it looks
  control.leave(1)
  t.equal(await waiting, 'ran')
})
