// The wire's misdeeds, against a server that counts what it gets.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { nopOut } from '@scsipub/iscsi'
import t from 'tap'
import { Wire } from './wire.js'

/** A peer for one connection; `received` settles with all its bytes and how it ended. */
async function peer(onSocket: (socket: Socket) => void = () => {}) {
  const server = createServer()
  const received = new Promise<{ bytes: Buffer; how: string }>(resolve => {
    server.once('connection', socket => {
      const chunks: Buffer[] = []
      let how = 'fin'
      socket.on('data', chunk => chunks.push(chunk as Buffer))
      socket.on('error', error => {
        how = (error as NodeJS.ErrnoException).code ?? 'error'
      })
      socket.on('close', () => {
        server.close()
        resolve({ bytes: Buffer.concat(chunks), how })
      })
      onSocket(socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port }, received }
}

t.test('a connection is cut after exactly so many bytes', async t => {
  for (const [after, expected] of [
    [0, 0],
    [10, 10],
    [48, 48],
    [60, 60],
  ] as const) {
    const { address, received } = await peer()
    const wire = await Wire.connect(address)
    wire.cutAfter(after, 'fin')
    wire.send(nopOut.encode({}))
    wire.send(nopOut.encode({}))
    await wire.closed
    const { bytes, how } = await received
    t.equal(bytes.length, expected)
    t.equal(how, 'fin')
  }
})

t.test('a reset is a reset', async t => {
  const { address, received } = await peer()
  const wire = await Wire.connect(address)
  await wire.end('reset')
  t.equal((await received).how, 'ECONNRESET')
})

t.test('one PDU is corrupted, and only one', async t => {
  const { address, received } = await peer()
  const wire = await Wire.connect(address)
  const pdu = nopOut.encode({ cmdSn: 7 })
  wire.corruptNext = bytes => {
    bytes[30] = 0xff
    return bytes
  }
  wire.send(pdu)
  wire.send(pdu)
  await wire.end()
  const { bytes } = await received
  t.equal(bytes[30], 0xff)
  t.same(bytes.subarray(48), pdu)
})

t.test('who waits is told when the peer ends the connection, or nothing comes', async t => {
  let end = () => {}
  const enough = new Promise<void>(resolve => (end = resolve))
  const { address } = await peer(socket => void enough.then(() => socket.end()))
  const wire = await Wire.connect(address)
  const wanted = { what: 'word', matches: () => true }
  await t.rejects(wire.inbox.take({ ...wanted, deadlineMs: 20 }), /no word within 20 ms/)
  end()
  await t.rejects(wire.inbox.take(wanted), /no word: the target closed the connection/)
  await t.rejects(wire.inbox.take(wanted), /no word/, 'later ones too')
})
