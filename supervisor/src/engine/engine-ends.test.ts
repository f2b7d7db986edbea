/** How often the storage engine may end, and how long its next start may take: a real engine, whose threads the test ends. */
import { setTimeout } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { testFolder } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { Engine, type EngineLimits } from '../engine.js'
import { createLog } from '../log.js'

const ENTRY = new URL('../fixtures/slow-engine.js', import.meta.url)
const NO_ENGINE = 'SCSIPUB_TEST_NO_ENGINE'
const LONG_MS = 60_000
/** Longer than an engine takes to come up on a busy machine. */
const START_MS = 15_000

/** An engine that has come up, the thread that was started last, and what is told. */
async function lab(t: Test, limits: Partial<EngineLimits>) {
  const threads: Worker[] = []
  const created = (thread: Worker) => void threads.push(thread)
  process.on('worker', created)
  const failures: string[] = []
  const lines: { event?: string; why?: string }[] = []
  const engine = new Engine({
    entry: ENTRY,
    dataDir: testFolder(t),
    logLevel: 'silent',
    log: createLog('info', { write: text => void lines.push(JSON.parse(text)) }),
    limits,
    onFailure: why => void failures.push(why),
  })
  t.teardown(async () => {
    process.off('worker', created)
    delete process.env[NO_ENGINE]
    await engine.terminate()
  })
  await engine.ask({ kind: 'engine.ping' })
  const last = () => threads.at(-1)!
  return { engine, failures, lines, end: () => last().terminate(), threads }
}

t.test('ends that are far apart do not add up', async t => {
  const { engine, failures, lines, end } = await lab(t, { maxRestarts: 1, withinMs: 500 })
  for (let count = 0; count < 3; count++) {
    await end()
    await engine.ask({ kind: 'engine.ping' })
    await setTimeout(600)
  }
  t.same(failures, [])
  t.equal(lines.filter(({ event }) => event === 'engine.died').length, 3)
  t.equal(engine.restarts, 3)
})

t.test('one too many within the time is the last one, and whoever asks is told', async t => {
  const { engine, failures, end } = await lab(t, { maxRestarts: 1, withinMs: LONG_MS })
  await end()
  await engine.ask({ kind: 'engine.ping' })
  await end()
  await t.rejects(engine.ask({ kind: 'engine.ping' }), { code: 'gone' })
  t.match(failures, [/it has ended 2 times within 60 s/])
})

t.test('a next one that does not come up in time is ended, and another one is started', async t => {
  const { engine, failures, lines, end, threads } = await lab(t, { startMs: START_MS })
  process.env[NO_ENGINE] = 'yes'
  await end()
  delete process.env[NO_ENGINE]
  await engine.ask({ kind: 'engine.ping' })
  t.same(failures, [])
  t.match(
    lines.filter(({ event }) => event === 'engine.died').at(-1)?.why,
    `the storage engine did not come up within ${START_MS} ms`,
  )
  t.equal(threads.length, 3)
})
