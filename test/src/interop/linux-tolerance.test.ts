// A Linux machine with a mounted file system that is written to and verified all the time, while everything between it and its disk goes away: its
// network for a minute, the server by SIGTERM and by SIGKILL, the state store of its lease. Nothing above the initiator may notice: no I/O error, no difference.
//
// The initiator is set up as docs/clusters.md advises for a machine that has one disk and one path to it.

import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { freePort, RedisServer, testFolder } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { withGuests } from '../harness/live-guest.js'
import { type Server, withServer } from '../harness/server.js'
import { ADMIN, leaseDisk } from '../harness/shared-disk.js'
import { LinuxNode } from './linux-node.js'
import { VerifiedLoad } from './verified-load.js'

const DISK_BYTES = 128 << 20
const CUT_MS = 60_000
/** Longer than any outage that is to be outlived, in seconds. */
const REPLACEMENT_TIMEOUT = 86_400
const IO_ERRORS = /I\/O error|EXT4-fs (error|warning)|Buffer I\/O|JBD2: .*error/i

t.test('a mounted file system outlives its network and its server', async t => {
  const port = await freePort()
  const folder = testFolder(t, { data: {}, redis: {} })
  const redis = await RedisServer.start({ folder: join(folder, 'redis') })
  t.teardown(() => redis.stop())
  const config = { workers: 2, admin: ADMIN, state: { url: redis.url } }
  const options = { port, config, dataDir: join(folder, 'data') }
  await withGuests(['home'], async guest => {
    const load = new VerifiedLoad(guest)
    try {
      await during(t, 'Redis is restarted, and the network is cut for a minute', options, async (t, server) => {
        const disk = await leaseDisk(server, DISK_BYTES)
        const node = await LinuxNode.setUp(guest, { port, disk, replacementTimeout: REPLACEMENT_TIMEOUT })
        await node.login()
        await load.begin('$d')
        await redis.stop()
        await load.progresses(t, 'there is no Redis')
        await redis.start()
        await load.progresses(t, 'all is well')
        await guest.setLink(false)
        await setTimeout(CUT_MS)
        await guest.setLink(true)
        await load.progresses(t, 'the network is back')
      })
      await during(t, 'the server has been stopped, and is killed', options, async (t, server) => {
        await load.progresses(t, 'the server is back')
        await server.kill()
      })
      await during(t, 'after the kill', options, async t => {
        await load.progresses(t, 'the server is back again')
        await load.endUnharmed(t)
        const kernel = await guest.must('dmesg')
        t.match(kernel, /detected conn error/, 'the initiator has lost its connection')
        t.notMatch(kernel, IO_ERRORS, 'the kernel saw no I/O error')
        await guest.must('iscsiadm -m session --logout')
      })
    } finally {
      if (!t.passing()) t.comment(guest.console)
    }
  })
})

function during(
  t: Test,
  title: string,
  options: Parameters<typeof withServer>[1],
  use: (t: Test, server: Server) => Promise<void>,
): Promise<unknown> {
  return t.test(title, t => withServer(t, options, server => use(t, server)))
}
