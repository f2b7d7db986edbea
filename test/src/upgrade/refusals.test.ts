// Upgrades at the wrong time and under the wrong stars: a clear answer, and the service as it was.

import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Initiator } from '@scsipub/testkit'
import t from 'tap'
import { withUpgradableServer } from '../harness/upgradable-server.js'
import { BLANK, content, portal } from '../protocol/lab.js'
import { config, LAB, MIB, upgraded } from './lab.js'
import { verifiedLoad } from './load.js'

const ROUNDS = 11

await t.test('a second SIGUSR2 in an upgrade is refused, and changes nothing about the first', async t => {
  await withUpgradableServer(t, { config }, async server => {
    let over = false
    const disk = await Initiator.login(portal(server), { target: LAB })
    const load = verifiedLoad(disk, { rounds: ROUNDS, stop: () => over })
    const old = server.pid()
    process.kill(old, 'SIGUSR2')
    await server.logged('upgrade.preparing')
    process.kill(old, 'SIGUSR2')
    t.match(await server.logged('upgrade.refused'), { code: 'busy', why: /under way already/ })
    t.match(await server.logged('upgrade.done'), { moved: 1, askedToLogInAgain: 0 })
    await server.logged('server.ready', pid => pid !== old)
    over = true
    t.ok((await load).rounds >= ROUNDS)
    await upgraded(t, server, { moved: 1 })
    await disk.logout()
  })
})

await t.test('an upgrade while the file system is full: sessions go on, and so does all that did before', async t => {
  if (process.getuid?.() !== 0) return t.fail('this test mounts a small tmpfs: run it as root')
  const folder = join(t.testdir(), 'mnt')
  mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', folder])
  try {
    await withUpgradableServer(t, { config, folder }, async server => {
      const disk = await Initiator.login(portal(server), { target: BLANK })
      const shared = await Initiator.login(portal(server), { target: LAB })
      await disk.write(0, content(MIB, 3))
      await shared.write(0, content(MIB, 4))
      const free = fill(folder)
      const isFull = (write: Promise<unknown>) => t.rejects(write, /7\/27\/07/, 'the disk is full')
      await isFull(disk.write(4096, content(MIB, 5)))
      for (let round = 0; round < 2; round++) {
        await upgraded(t, server, { moved: 2 })
        t.same(await disk.read(0, 2048), content(MIB, 3))
        t.same(await shared.read(0, 2048), content(MIB, 4))
        await shared.write(0, content(MIB, 4))
        await isFull(disk.write(4096, content(MIB, 5)))
      }
      free()
      await disk.write(4096, content(MIB, 5))
      t.same(await disk.read(4096, 2048), content(MIB, 5), 'and with room again it is as before')
      for (const session of [disk, shared]) await session.logout()
    })
  } finally {
    execFileSync('umount', ['-l', folder])
  }
})

/** Takes all the room that there is; the value gives it back. */
function fill(folder: string): () => void {
  const { bavail, bsize } = statfsSync(folder)
  const file = join(folder, 'filling')
  for (let bytes = bavail * bsize; bytes >= bsize; ) {
    try {
      writeFileSync(file, Buffer.alloc(bytes), { flag: 'a' })
      break
    } catch {
      bytes = Math.floor(bytes / 2)
    }
  }
  return () => rmSync(file)
}
