import { once } from 'node:events'
import { MessageChannel } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { type BorrowerRequest, borrowerRequestSchema, type EngineReplies } from './engine-messages.js'
import { answer, compileSchema, Requester, RpcError } from './rpc.js'

const isRequest = compileSchema<BorrowerRequest>(borrowerRequestSchema)

/** An asking and an answering side on one channel. */
function conversation(t: Test, handle: (request: BorrowerRequest) => unknown) {
  const { port1, port2 } = new MessageChannel()
  t.teardown(() => port1.close())
  const requester = new Requester<BorrowerRequest, EngineReplies>(port1)
  port1.on('message', message => requester.accept(message))
  const take = answer(port2, isRequest, handle)
  port2.on('message', take)
  return { requester, take, port1, port2 }
}

t.test('each request gets its own reply, in whatever order they are given', async t => {
  const { requester } = conversation(t, request => {
    if (request.kind !== 'volume.materialise') return {}
    const files = { overlayPath: request.volumeId, bitmapPath: '' }
    return request.volumeId === 'slow' ? new Promise(resolve => setTimeout(() => resolve(files), 20)) : files
  })
  const slow = requester.ask({ kind: 'volume.materialise', volumeId: 'slow' })
  const quick = requester.ask({ kind: 'volume.materialise', volumeId: 'quick' })
  t.equal((await quick).overlayPath, 'quick')
  t.equal((await slow).overlayPath, 'slow')
})

t.test('a failure comes back with its code, thrown or rejected', async t => {
  const { requester } = conversation(t, request => {
    if (request.kind === 'volume.flush') throw new RpcError('io', 'the disk is gone')
    return Promise.reject(new Error('a bug'))
  })
  await t.rejects(requester.ask({ kind: 'volume.flush', volumeId: 'a' }), { code: 'io', message: 'the disk is gone' })
  await t.rejects(requester.ask({ kind: 'volume.materialise', volumeId: 'a' }), { code: 'failed', message: 'a bug' })
})

t.test('when the other side is gone every open request fails, and every later one', async t => {
  const { requester } = conversation(t, () => new Promise(() => {}))
  const open = requester.ask({ kind: 'volume.flush', volumeId: 'a' })
  requester.fail('the engine has ended')
  await t.rejects(open, { code: 'gone', message: 'the engine has ended' })
  await t.rejects(requester.ask({ kind: 'volume.flush', volumeId: 'a' }), { code: 'gone' })
})

t.test('a message that does not fit the contract is a bug, and told as such', async t => {
  const { take } = conversation(t, () => ({}))
  t.throws(() => take({ kind: 'volume.flush', id: 'one' }), /does not fit the contract: .*volumeId|id/)
  t.throws(() => take({ kind: 'volume.shrink', id: 1 }), /does not fit the contract/)
  t.throws(() => take(undefined), /does not fit the contract/)
})

t.test('what is no reply is left to others, and a reply that nobody asked for does no harm', async t => {
  const { requester, port2 } = conversation(t, () => ({}))
  t.equal(requester.accept({ kind: 'gate.opened', volumeId: 'a' }), false)
  t.equal(requester.accept({ id: 77, ok: true }), true)
  port2.close()
  await once(port2, 'close')
})
