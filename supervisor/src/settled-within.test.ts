/** What counts as being in time. */
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import t from 'tap'
import { settledWithin } from './settled-within.js'

t.test('what happens in time, what does not, and what fails', async t => {
  t.equal(await settledWithin(Promise.resolve(), 60_000), true)
  t.equal(await settledWithin(new Promise(() => {}), 20), false)
  await t.rejects(settledWithin(Promise.reject(new Error('no luck')), 60_000), /no luck/)
})

t.test('what has happened while this thread stood still itself is in time', async t => {
  const { port1, port2 } = new MessageChannel()
  t.teardown(() => port1.close())
  await setImmediate() // timers are what comes next
  const settled = settledWithin(once(port1, 'message'), 50)
  port2.postMessage('done')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  t.equal(await settled, true)
})
