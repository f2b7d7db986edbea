/** What strangers send who do not want an answer: the listener stays cheap, answers in its own words, and goes on serving. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { ADMIN_TOKEN } from '../fixtures/http-calls.js'
import { start } from '../fixtures/steps.js'
import { HEADERS_TIMEOUT_MS, MAX_BODY_BYTES, MAX_CONNECTIONS, REQUEST_TIMEOUT_MS, TIMEOUT_CHECK_MS } from './limits.js'

const STEP_MS = 50

const server = start(t, { env: { SCSIPUB_ADMIN_TOKEN: ADMIN_TOKEN } })
const at = await server.api()

async function dial(): Promise<Socket> {
  const { hostname, port } = new URL(at)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Everything that comes until the connection ends, as status and problem code. */
async function answerOn(socket: Socket): Promise<{ status: number; code: string | undefined }> {
  let text = ''
  socket.setEncoding('utf8').on('data', chunk => {
    text += chunk
  })
  await once(socket, 'close')
  const body = text.slice(text.indexOf('\r\n\r\n') + 4)
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]), code: /"code":"([a-z-]+)"/.exec(body)?.[1] }
}

/** Counts the time of this process, in which both ends are: a second in which it stood still is one step. */
function stopwatch(): () => number {
  let steps = 0
  const timer = setInterval(() => void steps++, STEP_MS)
  t.teardown(() => clearInterval(timer))
  return () => steps * STEP_MS
}

/** Whether the connection is closed before the event loop has turned often enough for the server to have taken it in. */
async function isClosed(socket: Socket): Promise<boolean> {
  let closed = false
  socket.once('close', () => (closed = true))
  for (let turn = 0; turn < 20 && !closed; turn++) await setTimeout(STEP_MS)
  return closed
}

const POST = `POST /api/admin/accounts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\nContent-Type: application/json\r\n`

t.test('what is not HTTP is told so, and closed', async t => {
  for (const text of ['GARBAGE\r\n\r\n', '\x16\x03\x01\x02\x00', 'GET / HTTP/9.9\r\n\r\n']) {
    const socket = await dial()
    socket.write(text)
    t.match(await answerOn(socket), { status: 400, code: 'malformed-http' }, JSON.stringify(text))
  }
  const nameless = await dial()
  nameless.write('GET /healthz HTTP/1.1\r\n\r\n') // which Node itself refuses
  t.equal((await answerOn(nameless)).status, 400, 'no Host [9112 §3.2]')
})

t.test('a flood of header fields is cut off', async t => {
  const one = await dial()
  one.write(`GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`)
  t.same(await answerOn(one), { status: 431, code: 'headers-too-large' })
  const many = await dial()
  many.write(`GET /healthz HTTP/1.1\r\nHost: x\r\n${'a: b\r\n'.repeat(5_000)}\r\n`)
  t.same(await answerOn(many), { status: 431, code: 'headers-too-large' })
})

t.test(
  'two lengths, or a length and chunks, are no request: nobody can smuggle one past a proxy [9112 §6.3]',
  async t => {
    for (const fields of [
      'Content-Length: 2\r\nContent-Length: 3\r\n',
      'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n',
    ]) {
      const socket = await dial()
      socket.write(`${POST}${fields}\r\n{}`)
      t.same(await answerOn(socket), { status: 400, code: 'malformed-http' })
    }
  },
)

t.test('a body that never ends is refused when it is too long, said or not', async t => {
  const said = await dial()
  said.write(`${POST}Content-Length: 99999999999\r\n\r\n{`)
  t.same(await answerOn(said), { status: 413, code: 'body-too-large' })
  const unsaid = await dial()
  unsaid.write(`${POST}Transfer-Encoding: chunked\r\n\r\n`)
  const chunk = 'x'.repeat(0x1000)
  for (let bytes = 0; bytes <= MAX_BODY_BYTES; bytes += chunk.length) unsaid.write(`1000\r\n${chunk}\r\n`)
  t.same(await answerOn(unsaid), { status: 413, code: 'body-too-large' })
})

t.test('who sends slowly, or nothing, is not waited for', async t => {
  const took = stopwatch()
  const [silent, headers, body] = await Promise.all([dial(), dial(), dial()])
  // All at once: what has come to its end before it is listened to would have no end.
  const ends = [answerOn(headers), answerOn(body), answerOn(silent)] as const
  headers.write('GET /healthz HTTP/1.1\r\nHost: x\r\n')
  body.write(`${POST}Content-Length: 100\r\n\r\n{`)
  const trickle = setInterval(() => {
    headers.write('a: b\r\n')
    body.write(' ')
  }, 500)
  const slack = TIMEOUT_CHECK_MS + 3_000
  t.same(await ends[0], { status: 408, code: 'request-timeout' })
  t.ok(took() < HEADERS_TIMEOUT_MS + slack, 'header fields')
  t.same(await ends[1], { status: 408, code: 'request-timeout' })
  t.ok(took() < REQUEST_TIMEOUT_MS + slack, 'body')
  clearInterval(trickle)
  await ends[2]
  t.ok(took() < REQUEST_TIMEOUT_MS + slack, 'nothing at all')
})

t.test('connections beyond the cap are closed; when others go there is room again', async t => {
  const sockets = await Promise.all(Array.from({ length: MAX_CONNECTIONS }, dial))
  while (true) {
    const extra = (await dial()).resume() // or its end would not be seen
    sockets.push(extra)
    if (await isClosed(extra)) break // those before it may not all have been taken in yet
  }
  t.ok(sockets.length <= MAX_CONNECTIONS + 3, `${sockets.length}`)
  for (const socket of sockets) socket.destroy()
  const health = async () => {
    const socket = await dial()
    socket.write('GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    return (await answerOn(socket)).status
  }
  let status = await health()
  for (let attempt = 0; attempt < 600 && status !== 200; attempt++) {
    await setTimeout(100) // until the server has seen that they are gone
    status = await health()
  }
  t.equal(status, 200)
})

t.test('all of that has left no error in the log', async t => {
  const bad = server.log.filter(line => ['error', 'fatal'].includes(String(line['level'])))
  t.same(bad, [])
})
