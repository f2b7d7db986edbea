// Anonymous sessions: each has a disk of its own, nobody sees what another one wrote, and nothing is left of it.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Initiator, randomIsid } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLANK, BLOCK, content, holdings, portal, until, volumeFiles, withSession } from './lab.js'

const IMAGE = content(1 << 20, 42)
const ZEROS = Buffer.alloc(64 * BLOCK)

await withServer(t, { config: { workers: 2 }, images: { photo: IMAGE } }, async server => {
  const login = (target: string) => Initiator.login(portal(server), { target })

  await t.test('two logins see different disks, on both workers', async t => {
    const sessions = await Promise.all([1, 2, 3, 4].map(() => login(BLANK)))
    for (const [index, session] of sessions.entries()) await session.write(8, content(64 * BLOCK, index))
    for (const [index, session] of sessions.entries()) t.same(await session.read(8, 64), content(64 * BLOCK, index))
    await Promise.all(sessions.map(session => session.close()))
  })

  await t.test('two logins to an image write to copies of their own, and the image stays as it is', async t => {
    const one = await login(iqn('photo'))
    const other = await login(iqn('photo'))
    await one.write(100, content(64 * BLOCK, 1))
    t.same(await other.read(0, 2048), IMAGE)
    t.same(await one.read(100, 64), content(64 * BLOCK, 1))
    t.same(await one.read(0, 100), IMAGE.subarray(0, 100 * BLOCK))
    t.same(await one.read(164, 64), IMAGE.subarray(164 * BLOCK, 228 * BLOCK))
    await Promise.all([one.close(), other.close()])
    t.same(readFileSync(join(server.dataDir, 'catalog', 'photo.img')), IMAGE)
  })

  await t.test('a new login sees zeros, whatever was written before', async t => {
    for (let round = 0; round < 8; round++) {
      await withSession(server, {}, async session => {
        t.same(await session.read(0, 64), ZEROS)
        await session.write(0, content(64 * BLOCK, round))
      })
    }
  })

  await t.test('the same initiator with the same ISID gets a new disk too [7143 §6.3.5]', async t => {
    const isid = randomIsid()
    const old = await Initiator.login(portal(server), { target: BLANK, isid })
    await old.write(0, content(64 * BLOCK, 1))
    const next = await Initiator.login(portal(server), { target: BLANK, isid })
    await next.execute(Buffer.alloc(16)) // takes the unit attention
    t.same(await next.read(0, 64), ZEROS)
    await next.close()
  })

  for (const [how, end] of [
    ['a logout', (session: Initiator) => session.logout()],
    ['a FIN', (session: Initiator) => session.close('fin')],
    ['a reset', (session: Initiator) => session.close('reset')],
  ] as const) {
    await t.test(`after ${how} the files of the disk are gone`, async t => {
      await until('the disks of the tests before are gone', () => volumeFiles(server).length === 0, {
        show: () => volumeFiles(server).join(' '),
      })
      const session = await login(BLANK)
      await session.write(0, content(64 * BLOCK, 1))
      t.ok(volumeFiles(server).length > 0, 'a disk that was written to has files')
      await end(session)
      await until('the files are gone', () => volumeFiles(server).length === 0)
      await until('the mappings are gone', () => holdings(server).mappings === 0)
    })
  }
})
