// What a crash of the server leaves: every write that was answered, and of the ones that were not, the old or the new content.

import { setTimeout } from 'node:timers/promises'
import { cdb, Initiator } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLOCK, content, portal, until, withSession } from './lab.js'
import { metricsOf } from './operator.js'

const ROUNDS = 4
/** At least so many in each round. */
const WRITES = 60
const PLACES = 256
const PLACE_BLOCKS = 8
const config = { targets: [{ name: 'kept', auth: 'none', luns: [{ sizeBytes: 4 << 20 }, { image: 'base' }] }] }
const base = content(4 << 20, 1)

/** What a place may hold: the seed of the last write that was answered, and of one that was not. 0: what was there first. */
interface Place {
  answered: number
  open: number | undefined
}

const expected = (lun: number, place: number, seed: number): Buffer => {
  const length = PLACE_BLOCKS * BLOCK
  if (seed > 0) return content(length, seed)
  return lun === 0 ? Buffer.alloc(length) : base.subarray(place * length, (place + 1) * length)
}

/** Writes until the connection breaks, and keeps account of it. */
async function writeOn(
  initiator: Initiator,
  lun: number,
  places: Place[],
  run: { seed: number; killed: boolean },
): Promise<void> {
  try {
    for (;;) {
      const index = (run.seed * 7919 + lun) % PLACES
      const place = places[index]
      if (!place) throw new RangeError(`no place ${index}`)
      const seed = ++run.seed
      place.open = seed
      await initiator.write(index * PLACE_BLOCKS, expected(lun, index, seed), lun)
      place.answered = seed
      place.open = undefined
    }
  } catch (error) {
    if (!run.killed) throw error
  }
}

await t.test('after kill -9 under writes, every answered write is there, round after round', async t => {
  const dataDir = t.testdir()
  const luns = [0, 1].map(() => Array.from({ length: PLACES }, (): Place => ({ answered: 0, open: undefined })))
  const run = { seed: 0, killed: false }
  let startedAt = 0
  for (let round = 0; round < ROUNDS; round++) {
    await withServer(t, { config, dataDir, ...(round === 0 ? { images: { base } } : {}) }, async server => {
      const metrics = await metricsOf(server)
      const start = metrics.get('process_start_time_seconds') ?? 0
      t.ok(start > startedAt, 'who watches sees another start')
      t.equal(metrics.get('scsipub_sessions'), 0)
      startedAt = start
      await withSession(server, { target: iqn('kept') }, async initiator => {
        for (const [lun, places] of luns.entries()) {
          for (const [index, place] of places.entries()) {
            const found = await initiator.read(index * PLACE_BLOCKS, PLACE_BLOCKS, lun)
            const seed = [place.answered, place.open].find(
              seed => seed !== undefined && found.equals(expected(lun, index, seed)),
            )
            if (seed === undefined) t.fail(`round ${round}, LUN ${lun}, place ${index}: not write ${place.answered}`)
            place.answered = seed ?? place.answered
            place.open = undefined
          }
        }
        if (round === ROUNDS - 1) t.equal((await initiator.execute(cdb.testUnitReady())).status, 0)
      })
      run.killed = false
      const writers = await Promise.all(luns.map(() => Initiator.login(portal(server), { target: iqn('kept') })))
      const writing = writers.map((initiator, lun) => writeOn(initiator, lun, luns[lun] ?? [], run))
      const before = run.seed
      await setTimeout(150 + 100 * round)
      await until('some writes', () => run.seed > before + WRITES)
      run.killed = true
      await server.kill()
      await Promise.all(writing)
    })
  }
  t.ok(run.seed > ROUNDS * WRITES, `${run.seed} writes were begun`)
})
