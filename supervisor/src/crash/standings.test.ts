// What a dead worker's sessions are taken for, by what it has left behind.

import { once } from 'node:events'
import net from 'node:net'
import { serialize } from 'node:v8'
import { type SessionCell, SessionCells, type StandingRecord } from '@scsipub/contract'
import t, { type Test } from 'tap'
import type { HostedConnection, Session } from '../hosted-connection.js'
import type { WorkerLife } from '../worker-life.js'
import { Standings } from './standings.js'

const WORKER = { threadId: 1 } as unknown as WorkerLife
const SENT = 96

/** A session of two connections, by each of which `SENT` bytes have come and were read, as its worker would have told of it. */
async function lab(t: Test) {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => void server.close())
  const cells = new SessionCells()
  const standings = new Standings()
  const connections: HostedConnection[] = []
  const own: SessionCell[] = []
  for (const id of [5, 6]) {
    const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
    const [socket] = (await once(server, 'connection')) as [net.Socket]
    client.write(Buffer.alloc(SENT))
    await once(socket, 'data')
    t.teardown(() => {
      client.destroy()
      socket.destroy()
    })
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
    connections.push({ id, fd, localAddress: '', remoteAddress: '' } as unknown as HostedConnection)
    const cell = cells.take(id)
    cell.begin(SENT)
    own.push(cell)
  }
  const session = { id: 5 } as unknown as Session
  const record = {
    session: { sessionId: 5, expCmdSn: 0, luns: [] },
    phases: [
      { cid: 1, statSn: 0 },
      { cid: 2, statSn: 0 },
    ],
  }
  const tell = (version: number) => {
    for (const cell of own) cell.version = version
    standings.tell(
      {
        id: 1,
        kind: 'session.standing',
        sessionId: 5,
        version,
        record: serialize(record as unknown as StandingRecord),
        controls: {},
        cells: own.map(({ place, connectionId }) => ({ ...place, connectionId })),
      },
      WORKER,
    )
  }
  tell(1)
  own[0]!.rest(10, 0xffffffff)
  own[1]!.rest(20, 3)
  const word = (worker = WORKER) => standings.lastWord(session, connections, worker)
  return { own, word, tell, standings, connections, session }
}

t.test(
  'a session at rest goes on by the numbers of its cells, with the latest ExpCmdSN of them [RFC 1982]',
  async t => {
    const { word } = await lab(t)
    t.match(word(), {
      record: {
        session: { sessionId: 5, expCmdSn: 3 },
        connections: [
          { connectionId: 5, stage: { phase: { cid: 1, statSn: 10 } } },
          { connectionId: 6, stage: { phase: { cid: 2, statSn: 20 } } },
        ],
      },
    })
  },
)

t.test('bytes that the dead worker has read and not acted upon are lost, and so is the session', async t => {
  const { own, word } = await lab(t)
  own[1]!.begin(SENT - 48)
  own[1]!.version = 1
  own[1]!.rest(20, 3)
  t.match(word(), { lost: 'what it had sent last is lost', guilty: false })
})

t.test('one connection that is busy makes the session busy', async t => {
  const { own, word } = await lab(t)
  own[1]!.busy()
  t.match(word(), { lost: 'commands were under way', guilty: false })
})

t.test('whose input was being acted upon has to do with the death', async t => {
  const { own, word } = await lab(t)
  own[1]!.received(0)
  t.match(word(), { guilty: true })
})

t.test('what is known must be of this worker, of these connections, and of this version', async t => {
  const { own, word, tell, standings, connections } = await lab(t)
  t.match(word({ threadId: 2 } as unknown as WorkerLife), { lost: 'nothing was known of it yet' })
  own[0]!.version = 2
  t.match(word(), { lost: 'it had just changed' })
  tell(2)
  t.match(word(), { record: {} })
  const last = connections.pop()!
  t.match(word(), { lost: 'it had just changed' }, 'a connection has gone')
  connections.push(last, { id: 7 } as unknown as HostedConnection)
  t.match(word(), { lost: 'it had just changed' }, 'another one has come')
  standings.forget(5)
  t.match(word(), { lost: 'nothing was known of it yet' })
})
