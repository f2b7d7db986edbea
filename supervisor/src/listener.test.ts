/** The listener on real sockets: what it hands over, and what it does when there is nothing to hand over with. */

import { once } from 'node:events'
import { closeSync, readSync } from 'node:fs'
import { connect } from 'node:net'
import t from 'tap'
import { Admission } from './admission.js'
import { classify, Listener } from './listener.js'
import { createLog } from './log.js'
import type { Accepted } from './session-host.js'

const caps = { blankBytes: 512, quotaBytes: 512, maxSessions: 0, maxSessionsPerAddress: 0, capLoopback: true }

t.test('a connection is handed over as a descriptor of its own, unread, with both addresses', async t => {
  const log = createLog('silent')
  let take: (accepted: Accepted) => void = () => {}
  const taken = new Promise<Accepted>(resolve => {
    take = resolve
  })
  const admission = new Admission(caps)
  const listener = await Listener.open({ host: '::', port: 0 }, { admission, log, take: accepted => take(accepted) })
  t.teardown(() => listener.close())
  const port = Number(listener.address.split(':').at(-1))
  const client = connect({ host: '127.0.0.1', port })
  await once(client, 'connect')
  client.write('0123')
  const { fd, peerAddress, localAddress, remoteAddress } = await taken
  t.equal(localAddress, `127.0.0.1:${port}`, 'an IPv4 peer of an IPv6 socket is told as IPv4')
  t.equal(remoteAddress, `127.0.0.1:${client.localPort}`)
  t.equal(admission.connections, 1)
  const bytes = Buffer.alloc(4)
  let length = 0
  while (length === 0) {
    await new Promise(resolve => setImmediate(resolve))
    try {
      length = readSync(fd, bytes)
    } catch (error) {
      t.equal((error as NodeJS.ErrnoException).code, 'EAGAIN')
    }
  }
  t.equal(bytes.toString(), '0123', 'the first byte is still there')
  closeSync(fd)
  await once(client.resume(), 'close')
  admission.disconnect(peerAddress)
  t.equal(admission.connections, 0)
})

t.test('errors of accept are classed by whose trouble they are', t => {
  t.same(['ECONNABORTED', 'EPROTO', 'EMFILE', 'ENFILE', 'ENOMEM', 'EBADF', undefined].map(classify), [
    'peer',
    'peer',
    'exhausted',
    'exhausted',
    'exhausted',
    'unknown',
    'unknown',
  ])
  t.end()
})

t.test('an address that cannot be listened on is told in words', async t => {
  const parts = { admission: new Admission(caps), log: createLog('silent'), take: () => {} }
  await t.rejects(Listener.open({ host: '192.0.2.1', port: 0 }, parts), {
    message: /^cannot listen on 192\.0\.2\.1:0: this machine does not have that address; change listen\.iscsi$/,
  })
})
