// The storage engine's thread ends in the midst of what changes files: at each of some of the steps in which a lease, a snapshot, a clone, a larger size or a removal is made. Whoever has
// asked waits and gets his answer, what was asked for is there wholly, nothing is left over, and other disks go on. [DESIGN §4]

import { setTimeout } from 'node:timers/promises'
import { cdb, Initiator, overwriteList, provisioningCdb, sanitizeAction } from '@scsipub/testkit'
import t from 'tap'
import { Dice } from '../chaos/dice.js'
import { iqn } from '../harness/server.js'
import { BLANK, BLOCK, content, until, volumeFiles } from '../protocol/lab.js'
import { LEASE_CONFIG, MIB, Tenant } from '../protocol/lease-lab.js'
import { BusyLane } from './busy-lane.js'
import { OPERATIONS, Rounds } from './engine-changes.js'
import { EngineLab } from './engine-lab.js'
import { EngineSteps } from './engine-steps.js'

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
/** Ends of the engine in each kind of operation. */
const ENDS = 4
const OFTEN = { engine: { maxRestarts: 1_000 } }
/** Of an overwriting, so that it lasts. */
const PASSES = 30
const steps = new EngineSteps()

await t.test(`the engine ends at steps of all kinds of changes, seed ${SEED}`, async t => {
  await EngineLab.with(t, { ...OFTEN, config: LEASE_CONFIG }, async lab => {
    const rounds = new Rounds(lab, await Tenant.make(lab))
    const dice = new Dice(SEED)
    const bystander = new BusyLane(lab.portal, { target: iqn('shared'), lane: 0, lba: 0, blocks: 64 })
    await until('it writes', () => bystander.writes > 1)
    const before = { files: volumeFiles(lab), ...lab.held() }
    for (const [name, prepare] of Object.entries(OPERATIONS)) {
      await t.test(name, async t => {
        const once = async (last: number) => {
          const { act, check } = await prepare(rounds)
          const dead = lab.count('engine.died')
          steps.begin(last)
          const answer = await act()
          const { done } = steps
          steps.begin()
          const ended = lab.count('engine.died') > dead
          await check(t, answer)
          return { done, ended }
        }
        let { done: all } = await once(0)
        t.ok(all > 0, `${all} steps`)
        let ended = 0
        for (let end = 0; end < ENDS; end++) {
          const last = 1 + Math.floor(((end + dice.fraction()) * all) / ENDS)
          const { ended: has, done } = await once(last)
          t.comment(`step ${last} of ${all}: ${has ? 'the engine ended' : 'it was not reached'}`)
          if (has) ended++
          // Some of the steps were none of this operation's: of what else the engine does there may be more or less at a time.
          else all = Math.max(1, done)
        }
        t.ok(ended > ENDS / 2, `${ended} of ${ENDS} ends came about`)
      })
    }
    const writes = bystander.writes
    await until('the bystander goes on', () => bystander.writes > writes)
    t.equal(bystander.breaks, 0, 'its connection was never lost')
    t.same((await rounds.ask<{ sessions: unknown[] }>('GET /api/sessions')).body.sessions, [])
    await until('all files are gone', () => volumeFiles(lab).length <= before.files.length, {
      show: () => volumeFiles(lab).join(' '),
    })
    await until(
      'descriptors and mappings go back',
      () => {
        const now = lab.held()
        return now.descriptors <= before.descriptors && now.mappings <= before.mappings
      },
      { show: () => JSON.stringify([before, lab.held()]) },
    )
    await bystander.end()
    t.same(lab.failures, [])
  })
})

await t.test(
  'an anonymous disk is sanitized to its end, however often the engine ends meanwhile [SBC-3 §4.11]',
  async t => {
    await EngineLab.with(t, { ...OFTEN, config: { free: { blankBytes: 16 * MIB } } }, async lab => {
      const before = lab.held()
      for (const method of ['overwrite', 'blockErase'] as const) {
        const disk = await Initiator.login(lab.portal, { target: BLANK })
        for (let at = 0; at < 16; at++) await disk.write(2048 * at, content(MIB, at))
        const list = method === 'overwrite' ? overwriteList(PASSES, Buffer.from('a5', 'hex')) : undefined
        const command = provisioningCdb.sanitize(sanitizeAction[method], {
          immed: true,
          ...(list && { parameterListLength: list.length }),
        })
        const begun = list ? await disk.executeWrite(command, list) : await disk.execute(command)
        t.equal(begun.status, 0)
        let seen = 0
        for (let end = 0; end < 3; end++) {
          await lab.server.restartEngine()
          const { sense } = await disk.execute(cdb.testUnitReady())
          if (sense === '2/04/1b') seen++
          await setTimeout(100)
        }
        if (method === 'overwrite') t.ok(seen > 0, 'it was under way when the engine had ended')
        await ready(disk)
        const wanted = Buffer.alloc(MIB, list ? 0xa5 : 0)
        for (let at = 0; at < 16; at++) t.ok((await disk.read(2048 * at, 2048)).equals(wanted), `${method}: MiB ${at}`)
        await disk.write(0, content(BLOCK, 1))
        await disk.logout()
        await disk.close()
      }
      await t.test('one that goes in the middle of it is gone', async () => {
        const disk = await Initiator.login(lab.portal, { target: BLANK })
        await disk.write(0, content(BLOCK, 1))
        const list = overwriteList(PASSES, Buffer.from('5a', 'hex'))
        const command = provisioningCdb.sanitize(sanitizeAction.overwrite, {
          immed: true,
          parameterListLength: list.length,
        })
        await disk.executeWrite(command, list)
        const ended = lab.server.restartEngine()
        await disk.logout()
        await disk.close()
        await ended
        await until('its files are gone', () => !volumeFiles(lab).some(path => path.includes('/ephemeral/')))
      })
      await until('nothing is held of them', () => lab.held().mappings <= before.mappings, {
        show: () => JSON.stringify([before, lab.held()]),
      })
      t.equal(lab.count('engine.died'), 0, 'nothing but what was asked for')
    })
  },
)

async function ready(disk: Initiator): Promise<void> {
  const end = performance.now() + 300_000
  while ((await disk.execute(cdb.testUnitReady())).status !== 0) {
    if (performance.now() > end) throw new Error('it is sanitized for ever')
    await setTimeout(50)
  }
}
