// What an operator sees of real sessions, and that restarting workers under them shows in it: counts that only grow, sessions that stay, also while the
// file system is full.

import { execFile, execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { asyncMessage } from '@scsipub/iscsi'
import { Initiator } from '@scsipub/testkit'
import t from 'tap'
import { type Server, withServer } from '../harness/server.js'
import { ROOT } from '../repository.js'
import { BLANK, cdbOf, content, pidOf, portal, until, untilLogged, withSession, withSessions } from './lab.js'
import { metricsOf, OPERATOR_CONFIG, operator } from './operator.js'

const MIB = 1 << 20
const config = { ...OPERATOR_CONFIG, workers: 2 }

await t.test('reads, writes, their bytes and latency, and what fails, are counted', async t => {
  await withServer(t, { config: { ...config, free: { quotaBytes: MIB } } }, async server => {
    await withSession(server, {}, async disk => {
      const before = await metricsOf(server)
      for (let lba = 0; lba < 64; lba++) await disk.write(lba * 8, content(4096, lba))
      for (let lba = 0; lba < 32; lba++) await disk.read(lba * 8, 8)
      await disk.read(0, 256)
      t.match(await disk.executeRead(cdbOf('28 00 ff ff ff ff 00 00 01 00'), 512), { status: 2 })
      await t.rejects(disk.write(4096, content(MIB, 1)), 'beyond the quota')
      const now = await metricsOf(server)
      const grown = (name: string) => (now.get(name) ?? 0) - (before.get(name) ?? 0)
      t.equal(grown('scsipub_io_total write'), 64)
      t.equal(grown('scsipub_io_bytes_total write'), 64 * 4096)
      t.equal(grown('scsipub_io_total read'), 33)
      t.equal(grown('scsipub_io_bytes_total read'), 32 * 4096 + 256 * 512)
      t.ok(grown('scsipub_commands_total') >= 99)
      t.equal(grown('scsipub_command_seconds_count'), Math.floor(grown('scsipub_commands_total') / 16), 'one of 16')
      t.equal(grown('scsipub_check_conditions_total'), 2)
      t.equal(grown('scsipub_out_of_space_total'), 1)
      t.equal(now.get('scsipub_sessions'), 1)
      t.ok((now.get('scsipub_worker_heap_bytes') ?? 0) > MIB)
      const beats = now.get('scsipub_worker_beats_total') ?? 0
      let later = beats
      for (let look = 0; look < 600 && later < beats + 2; look++) {
        await setTimeout(100)
        later = (await metricsOf(server)).get('scsipub_worker_beats_total') ?? 0
      }
      t.ok(later >= beats + 2, 'both workers beat')
    })
  })
})

await t.test('workers are restarted under sessions: they go on, and counts go on', async t => {
  await withServer(t, { config }, async server => {
    await withSessions(server, { count: 4, target: BLANK }, async (...disks) => {
      for (const [index, disk] of disks.entries()) await disk.write(0, content(8192, index))
      const before = await metricsOf(server)
      const all = await operator(server, 'POST /workers/restart')
      t.equal(all.status, 200, JSON.stringify(all.body))
      t.match(all.body, { moved: 4, dropped: 0, pauseMs: { median: Number, p99: Number, max: Number } })
      t.ok(all.body.pauseMs.max >= all.body.pauseMs.median)
      for (const [index, disk] of disks.entries()) t.same(await disk.read(0, 16), content(8192, index))
      const one = await operator(server, 'POST /workers/restart', { worker: 1 })
      t.equal(one.status, 200, JSON.stringify(one.body))
      for (const [index, disk] of disks.entries()) t.same(await disk.read(0, 16), content(8192, index))
      const now = await metricsOf(server)
      t.equal((now.get('scsipub_io_total read') ?? 0) - (before.get('scsipub_io_total read') ?? 0), 8)
      t.equal(now.get('scsipub_io_total write'), before.get('scsipub_io_total write'), 'nothing is forgotten')
      t.equal(now.get('scsipub_sessions_moved_total'), all.body.moved + one.body.moved)
      t.equal(now.get('scsipub_move_pause_seconds_count'), all.body.moved + one.body.moved)
      t.equal(now.get('scsipub_worker_restarts_total'), 3)
      t.equal(now.get('scsipub_sessions'), 4)
    })
  })
})

await t.test('the commands of the runbook, with sessions on the workers', async t => {
  await withServer(t, { config }, async server => {
    await withSessions(server, { count: 3, target: BLANK }, async (...disks) => {
      for (const [index, disk] of disks.entries()) await disk.write(0, content(4096, index))
      t.match(await scsipub(server, 'workers list'), /^0 +serving +2 .*^1 +serving +1 /ms)
      t.match(await scsipub(server, 'workers restart --worker 0'), /^worker 0 is new: 2 sessions moved, 0 dropped\n/)
      t.match(await scsipub(server, 'workers restart'), /^all workers are new: 3 sessions moved, 0 dropped\n/)
      await t.rejects(scsipub(server, 'workers restart --worker 2'), { code: 2, stderr: /\(worker-unknown\)/ })
      t.match(await scsipub(server, 'top --once'), /sessions 3, connections 3, state store up\n.*restarts 3 workers/s)
      for (const [index, disk] of disks.entries()) t.same(await disk.read(0, 8), content(4096, index))
      const drain = scsipub(server, 'drain')
      for (const disk of disks) await disk.take(asyncMessage).then(() => disk.logout())
      t.match(await drain, /^the server stops: 3 sessions have 10 s/)
      await untilLogged(server, 'server.stopped')
    })
  })
})

await t.test('SIGTERM in the middle of a restart: the restart ends, sessions are drained, nothing is lost', async t => {
  await withServer(t, { config }, async server => {
    await withSessions(server, { count: 4, target: BLANK }, async (...disks) => {
      const restart = operator(server, 'POST /workers/restart')
      await untilLogged(server, 'restart.began')
      process.kill(pidOf(server), 'SIGTERM')
      for (const [index, disk] of disks.entries()) {
        await disk.write(0, content(4096, index))
        t.same(await disk.read(0, 8), content(4096, index), 'commands go on until the logout')
        await disk.logout()
      }
      const { status, body } = await restart
      if (status !== 200) t.match({ status, code: body.code }, { status: 503, code: 'stopping' })
      await untilLogged(server, 'server.stopped')
    })
  })
})

await t.test('a worker whose memory is over the limit is restarted, and its sessions go on', async t => {
  await withServer(t, { config: { ...config, workers: 1, restarts: { memoryBytes: 1 } } }, async server => {
    await withSession(server, {}, async disk => {
      await disk.write(0, content(4096, 7))
      const restart = () => server.log.find(({ event, moved }) => event === 'worker.restarted' && moved === 1)
      // One that came before the session is followed by another one after a minute.
      await until('a restart for memory', () => restart() !== undefined, { deadlineMs: 180_000 })
      t.same(await disk.read(0, 8), content(4096, 7))
      t.match(
        server.log.find(({ event }) => event === 'worker.memory'),
        { worker: 0, limitBytes: 1 },
      )
      t.match(restart(), { worker: 0, reason: 'memory' })
    })
  })
})

await t.test('on a full file system workers can be restarted, and nothing is lost', async t => {
  if (process.getuid?.() !== 0) return t.fail('this test mounts a small tmpfs: run it as root')
  const dataDir = join(t.testdir(), 'mnt')
  mkdirSync(dataDir)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', dataDir])
  try {
    await withServer(t, { dataDir, config }, async server => {
      const disk = await Initiator.login(portal(server), { target: BLANK })
      await disk.write(0, content(MIB, 3))
      fill(dataDir)
      t.equal((await metricsOf(server)).get('scsipub_data_free_bytes'), 0)
      await t.rejects(disk.write(2048, content(MIB, 4)), 'the disk is full')
      const answer = await operator(server, 'POST /workers/restart')
      t.equal(answer.status, 200, JSON.stringify(answer.body))
      t.match(answer.body, { moved: 1, dropped: 0 })
      t.same(await disk.read(0, 2048), content(MIB, 3))
      t.ok((await metricsOf(server)).get('scsipub_out_of_space_total'))
      rmSync(join(dataDir, 'filler'))
      await disk.write(2048, content(MIB, 4))
      t.same(await disk.read(2048, 2048), content(MIB, 4))
      await disk.close()
    })
  } finally {
    execFileSync('umount', ['--lazy', dataDir])
  }
})

/** Runs the command as an operator does, and gives what it prints. */
async function scsipub({ api }: Server, line: string): Promise<string> {
  const env = { ...process.env, SCSIPUB_SERVER: api, SCSIPUB_ADMIN_TOKEN: OPERATOR_CONFIG.admin.token }
  const args = [join(ROOT, 'packages/cli/bin/scsipub.mjs'), ...line.split(' ')]
  return (await promisify(execFile)(process.execPath, args, { env })).stdout
}

/** Leaves no free block, whoever takes some or gives some back meanwhile. */
function fill(folder: string): void {
  const filler = openSync(join(folder, 'filler'), 'w')
  try {
    for (;;) writeSync(filler, Buffer.alloc(64 << 10))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  } finally {
    closeSync(filler)
  }
}
