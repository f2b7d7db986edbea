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

t.test('what is sent together arrives as one piece', async t => {
  const chunks: Buffer[] = []
  const { address, received } = await peer(socket => socket.on('data', chunk => chunks.push(chunk as Buffer)))
  const wire = await Wire.connect(address)
  const answer = wire.together(() => {
    for (let cmdSn = 1; cmdSn <= 3; cmdSn++) wire.send(nopOut.encode({ cmdSn }))
    return 'sent'
  })
  t.equal(answer, 'sent')
  await wire.end()
  await received
  t.same(
    chunks.map(({ length }) => length),
    [3 * 48],
  )
})

t.test('what is dealt with goes to who waits for it, and is not kept', async t => {
  const { address } = await peer(socket => {
    for (let cmdSn = 1; cmdSn <= 3; cmdSn++) socket.write(nopOut.encode({ initiatorTaskTag: cmdSn }))
    socket.end()
  })
  const wire = await Wire.connect(address)
  wire.onPdu = ({ initiatorTaskTag }) => (initiatorTaskTag === 3 ? undefined : 'dealt with')
  const second = wire.inbox.take({ what: 'second', matches: ({ initiatorTaskTag }) => initiatorTaskTag === 2 })
  t.equal((await second).initiatorTaskTag, 2)
  await wire.closed
  t.same(
    wire.inbox.unread.map(({ initiatorTaskTag }) => initiatorTaskTag),
    [3],
  )
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
