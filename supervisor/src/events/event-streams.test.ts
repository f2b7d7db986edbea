/** A watcher that does not read costs two megabytes and no more. Real HTTP, without the server around it. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import t from 'tap'
import { EventStreams } from './event-streams.js'
import { ServerEvents } from './server-events.js'

t.test('one who does not read is cut off; one who does, gets everything', async t => {
  const events = new ServerEvents()
  const streams = new EventStreams(events)
  const responses: ServerResponse[] = []
  const server = createServer((_, response) => {
    responses.push(response)
    streams.serve(response, undefined)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const dial = async (count: number) => {
    const socket = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
    socket.on('error', () => {})
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    while (responses.length < count) await new Promise(setImmediate)
    return socket
  }
  const deaf = await dial(1)
  const reader = await dial(2)
  let bytes = 0
  reader.on('data', chunk => (bytes += chunk.length))
  const text = 'x'.repeat(10_000)
  let told = 0
  let waiting = 0
  while (!responses[0]?.destroyed && told < 10_000) {
    events.take('info', { event: 'e', text })
    told++
    waiting = Math.max(waiting, responses[0]?.writableLength ?? 0)
    await new Promise(setImmediate)
  }
  t.ok(responses[0]?.destroyed, `cut off after ${told} events`)
  t.ok(waiting < 2.1 * 2 ** 20, `never more than ${waiting} bytes waited for it`)
  t.notOk(responses[1]?.destroyed)
  while (bytes < told * text.length) await once(reader, 'data')
  deaf.destroy()
  streams.close()
  await once(reader, 'end')
  t.ok(responses[1]?.writableEnded, 'and its stream ends when the server stops')
})
