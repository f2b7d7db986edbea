// The storage engine's thread dies while sessions write, flush, compare, reserve and fence: they wait, and go on. No connection is lost, nothing that was acknowledged is
// undone, nothing is done twice.

import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Dice } from '../chaos/dice.js'
import { until } from '../protocol/lab.js'
import { EngineLab } from './engine-lab.js'
import {
  type Actor,
  addAtomic,
  addBits,
  addCounter,
  addFencer,
  addPinger,
  addReserver,
  addWriter,
  Load,
} from './engine-load.js'

const ROUNDS = 12
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
/** An engine opens files again as they are needed: those of each of seven disks, and no more than that for all that have died. */
const SLACK = 14
/** One that spins counts as silent only for as long as it has had the processor. */
const DEAD_MS = 180_000
/** What is promised is 1 s for NOP-Out and 5 s for any stall. A machine that runs other tests beside may take longer; what never ends is seen here, the promise where nothing else runs. */
const PING_MS = 5_000
const STALL_MS = 20_000

/** Everything at once, on persistent disks and on anonymous ones. */
async function fullLoad(lab: EngineLab): Promise<{ load: Load; pinger: Actor }> {
  const load = new Load()
  const { portal } = lab
  await addWriter(load, portal, 'shared')
  await addWriter(load, portal, 'blank')
  await addCounter(load, portal, 'shared')
  await addCounter(load, portal, 'blank')
  await addBits(load, portal, 'shared')
  await addAtomic(load, portal, 'shared')
  await addFencer(load, portal, 'shared', 1)
  await addReserver(load, portal, 'shared', 2)
  return { load, pinger: await addPinger(load, portal, 'shared') }
}

async function settle(t: Test, lab: EngineLab, load: Load): Promise<void> {
  await load.stop()
  t.equal(lab.count('connection.ended'), 0, 'no connection was lost')
  for (const actor of load.actors) {
    await t.resolves(actor.check(), `${actor.name}: ${actor.steps} steps, the longest ${actor.longestMs.toFixed(0)} ms`)
    t.ok(actor.longestMs < STALL_MS, `${actor.name} waited for at most ${STALL_MS} ms`)
    await actor.close()
  }
  t.same(lab.failures, [], 'the server goes on')
}

await t.test(`the engine is ended ${ROUNDS} times at any moment, seed ${SEED}`, async t => {
  await EngineLab.with(t, {}, async lab => {
    const { load, pinger } = await fullLoad(lab)
    const before = lab.held()
    const dice = new Dice(SEED)
    for (let round = 0; round < ROUNDS && !load.failed; round++) {
      await setTimeout(dice.between(0, 400))
      await lab.server.restartEngine()
      const steps = load.actors.map(actor => actor.steps)
      // Half of the time the next end comes while the engine is still taking over.
      if (dice.chance(0.5))
        await until('all go on', () => load.failed || all(load, (actor, at) => actor.steps > steps[at]!))
    }
    const noMore = () => {
      const { descriptors, mappings } = lab.held()
      return descriptors <= before.descriptors + SLACK && mappings <= before.mappings + SLACK
    }
    await until('no more is held', noMore, { show: () => JSON.stringify([before, lab.held()]) })
    await settle(t, lab, load)
    t.ok(pinger.longestMs < PING_MS, `the longest ping took ${pinger.longestMs.toFixed(0)} ms`)
    t.equal(lab.count('engine.died'), 0, 'nothing but what was asked for')
  })
})

for (const fault of ['throw', 'heap', 'spin'] as const) {
  await t.test(`the engine's thread ends by ${fault}, under load`, async t => {
    await EngineLab.with(t, {}, async lab => {
      const { load, pinger } = await fullLoad(lab)
      for (const times of [1, 2]) {
        await until('all have begun', () => load.failed || all(load, actor => actor.steps > 2 * times))
        lab.cause(fault)
        await until('it is dead', () => lab.count('engine.died') === times, { deadlineMs: DEAD_MS })
        await until('another one is there', () => lab.count('engine.restarted') === times)
        const steps = load.actors.map(actor => actor.steps)
        await until('all go on', () => load.failed || all(load, (actor, at) => actor.steps > steps[at]!))
      }
      await settle(t, lab, load)
      t.ok(pinger.longestMs < PING_MS, `the longest ping took ${pinger.longestMs.toFixed(0)} ms`)
    })
  })
}

await t.test('an engine that ends again and again ends the server, with the reason', async t => {
  await EngineLab.with(t, { engine: { maxRestarts: 2, withinMs: 600_000 } }, async lab => {
    for (const times of [1, 2]) {
      lab.cause('throw')
      await until('another one is there', () => lab.count('engine.restarted') === times)
    }
    lab.cause('throw')
    await until('the server gives up', () => lab.failures.length > 0)
    t.match(lab.failures, [/thrown on purpose; it has ended 3 times within 600 s/])
  })
})

function all(load: Load, holds: (actor: Actor, at: number) => boolean): boolean {
  return load.actors.every(holds)
}
