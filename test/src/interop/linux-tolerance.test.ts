// A Linux machine with a mounted file system that is written to and verified all the time, while everything between it and its disk goes away: its
// network for a minute, the server by SIGTERM and by SIGKILL, the state store of its lease. Nothing above the initiator may notice: no I/O error, no difference.
//
// The initiator is set up as docs/clusters.md advises for a machine that has one disk and one path to it.

import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { RedisServer } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { freePort } from '../harness/free-port.js'
import { type LiveGuest, withGuests } from '../harness/live-guest.js'
import { type Server, withServer } from '../harness/server.js'
import { ADMIN, leaseDisk } from '../harness/shared-disk.js'
import { LinuxNode } from './linux-node.js'

const DISK_BYTES = 128 << 20
const CUT_MS = 60_000
/** Longer than any outage that is to be outlived, in seconds. */
const REPLACEMENT_TIMEOUT = 86_400
/** How long the initiator has to find its way back: it tries again every few seconds, and sockets that nobody answers take their time. */
const BACK_MS = 120_000

/** Writes and reads back for ever, until /tmp/stop is there; leaves /tmp/NAME.failed when it could not, or read something else. */
const worker = (name: string, options: string) => `
(
  while [ ! -e /tmp/stop ]; do
    echo round >> /tmp/${name}.rounds
    fio --name=${name} --filename=/mnt/${name} --size=4m --rw=randwrite --bsrange=4k-64k --verify=crc32c --do_verify=1 --verify_fatal=1 ${options} > /tmp/${name}.log 2>&1 && continue
    cp /tmp/${name}.log /tmp/${name}.failed
    break
  done
) &`

/** Direct writes, several at a time; and writes through the page cache with syncs in between. */
const LOAD = [
  worker('direct', '--direct=1 --ioengine=libaio --iodepth=8'),
  worker('cached', '--fsync=16 --invalidate=1 --randrepeat=0'),
].join('\n')

t.test('a mounted file system outlives its network and its server', async t => {
  const port = await freePort()
  const folder = t.testdir({ data: {}, redis: {} })
  const redis = await RedisServer.start({ folder: join(folder, 'redis') })
  t.teardown(() => redis.stop())
  const config = { workers: 2, admin: ADMIN, state: { url: redis.url } }
  const options = { port, config, dataDir: join(folder, 'data') }
  await withGuests(['home'], async guest => {
    let before = ''
    try {
      await during(t, 'Redis is restarted, and the network is cut for a minute', options, async (t, server) => {
        const disk = await leaseDisk(server, DISK_BYTES)
        const node = await LinuxNode.setUp(guest, { port, disk, replacementTimeout: REPLACEMENT_TIMEOUT })
        before = await mounted(node)
        await redis.stop()
        await progresses(t, guest, 'there is no Redis')
        await redis.start()
        await progresses(t, guest, 'all is well')
        await guest.setLink(false)
        await setTimeout(CUT_MS)
        await guest.setLink(true)
        await progresses(t, guest, 'the network is back')
      })
      await during(t, 'the server has been stopped, and is killed', options, async (t, server) => {
        await progresses(t, guest, 'the server is back')
        await server.kill()
      })
      await during(t, 'after the kill', options, async t => {
        await progresses(t, guest, 'the server is back again')
        await guest.must('touch /tmp/stop; wait', BACK_MS)
        await unharmed(t, guest, before)
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

/** Logs in, makes a file system with a file that nobody changes, and begins the load. The digest of the file. */
async function mounted(node: LinuxNode): Promise<string> {
  const { guest } = node
  await node.login()
  await guest.must('mkfs.ext4 -q -F $d && mount -o errors=remount-ro $d /mnt')
  await guest.must('dd if=/dev/urandom of=/mnt/keep bs=1M count=16 conv=fsync status=none')
  const digest = await guest.must('sha256sum /mnt/keep')
  await guest.must(LOAD)
  return digest
}

/** Both loads come to another round than they are in: all of one has been written, synced, and read back. */
async function progresses(t: Test, guest: LiveGuest, when: string): Promise<void> {
  const lines = 'cat /tmp/direct.rounds | wc -l; cat /tmp/cached.rounds | wc -l'
  const round = async () => (await guest.must(lines)).split('\n').map(Number)
  const [direct = 0, cached = 0] = await round()
  const end = performance.now() + BACK_MS
  for (;;) {
    const [directNow = 0, cachedNow = 0] = await round()
    const { code, output } = await guest.run('! cat /tmp/*.failed 2> /dev/null')
    if (code !== 0) return void t.fail(`${when}: a load failed`, { output })
    // The round that was under way may have been over but for its last write: the next one is whole.
    if (directNow >= direct + 2 && cachedNow >= cached + 2) {
      return void t.pass(`${when}: data are written and read back`)
    }
    if (performance.now() > end)
      return void t.fail(`${when}: no progress`, { output: await guest.must('dmesg | tail -50') })
    await setTimeout(1000)
  }
}

async function unharmed(t: Test, guest: LiveGuest, before: string): Promise<void> {
  const failed = await guest.run('cat /tmp/*.failed 2> /dev/null')
  t.equal(failed.output, '', 'no load ever failed')
  t.equal(
    await guest.must('sync; echo 3 > /proc/sys/vm/drop_caches; sha256sum /mnt/keep'),
    before,
    'the file is as it was',
  )
  t.match(await guest.must('grep /mnt /proc/mounts'), / rw,/, 'the file system is mounted for writing')
  await guest.must('umount /mnt')
  t.equal((await guest.run('e2fsck -f -n $d')).code, 0, 'the file system is sound')
  const kernel = await guest.must('dmesg')
  t.match(kernel, /detected conn error/, 'the initiator has lost its connection')
  t.notMatch(kernel, /I\/O error|EXT4-fs (error|warning)|Buffer I\/O|JBD2: .*error/i, 'the kernel saw no I/O error')
}
