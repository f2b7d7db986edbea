// An anonymous disk that is kept after a fault of ours is kept by the process that comes after an upgrade, too.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Initiator } from '@scsipub/testkit'
import t from 'tap'
import { BLANK, content, until } from '../protocol/lab.js'
import { beginWrite } from './half-write.js'
import { RestartedServer } from './random/restarted-server.js'

const adminToken = 'token-of-the-administrator'
const WORKERS = 1
/** Longer than the test. */
const LONG_MS = 600_000
const isid = Buffer.from([0x80, 0, 0, 0, 0, 9])

await t.test('an upgrade while a disk waits for its initiator: it finds it in the new process', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'kept-'))
  const dataDir = join(folder, 'data')
  const configFile = join(folder, 'config.json')
  const listen = { iscsi: '127.0.0.1:0', http: '127.0.0.1:0' }
  writeFileSync(configFile, JSON.stringify({ dataDir, listen, workers: WORKERS, admin: { token: adminToken } }))
  const server = new RestartedServer({ configFile, adminToken, limits: { keptMs: LONG_MS } })
  try {
    await server.logged('server.ready')
    const address = { host: '127.0.0.1', port: server.port }
    const login = () => Initiator.login(address, { target: BLANK, isid })
    const first = await login()
    await first.write(0, content(4096, 9))
    await beginWrite(first)
    await server.order({ kind: 'tell', threads: WORKERS + 1 })
    await server.order({ kind: 'end', role: 'session-worker', index: 0, fault: 'throw' })
    await server.logged('disk.kept')
    await first.wire.closed
    const before = server.pid
    const { status, body } = await server.operator('POST /upgrade')
    t.equal(status, 200, JSON.stringify(body))
    await server.logged('server.ready', 2)
    t.not(server.pid, before)
    // The numbers of sessions begin anew in no process: a disk has that of its session.
    for (let count = 0; count < 4; count++) {
      const stranger = await Initiator.login(address, { target: BLANK })
      t.ok((await stranger.read(0, 8)).equals(Buffer.alloc(4096)), 'nobody else gets it')
      await stranger.logout()
      await stranger.close()
    }
    const again = await login()
    t.ok((await again.read(0, 8)).equals(content(4096, 9)), 'its data is there')
    await again.logout()
    await again.close()
    await until('nothing is left of it', () => readdirSync(join(dataDir, 'ephemeral')).length === 0)
    server.signal('SIGTERM')
    t.equal(await server.ended(), 0)
    await setTimeout(100)
    t.same(server.complaints, [])
  } finally {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  }
})
