/** How long what is under way is waited for. The whole way is in test/src/protocol. */
import { stat } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import type { ConnectionActor } from '../connection-actor.js'
import { depart } from './departure.js'

/** Of no session, with something under way until `end` is fulfilled. */
function connectionUntil(end: Promise<unknown>): ConnectionActor {
  let obstacle: string | undefined = 'something is under way'
  void end.then(() => (obstacle = undefined))
  return {
    hold: () => {},
    letGo: () => {},
    record: () => ({}),
    send: () => {},
    get obstacle() {
      return obstacle
    },
  } as unknown as ConnectionActor
}

const hadNotices = () => []

t.test('what does not end in time makes the session busy', async t => {
  const began = performance.now()
  const never = connectionUntil(new Promise(() => {}))
  t.same(await depart([never], { boundMs: 200, hadNotices }), { busy: 'something is under way' })
  t.ok(performance.now() - began > 190)
})

t.test('what ended while the thread stood still has ended in time', async t => {
  await setImmediate() // the loop's timers come next, and what was read after them
  const departing = depart([connectionUntil(stat('/'))], { boundMs: 200, hadNotices })
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000)
  t.match(await departing, { record: { connections: [{}] } })
})
