/** How often the storage engine may end: a real engine, whose threads the test ends. */
import { createRequire } from 'node:module'
import { setTimeout } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { Engine, type EngineLimits } from '../engine.js'
import { createLog } from '../log.js'

const ENTRY = pathToFileURL(createRequire(import.meta.url).resolve('@scsipub/storage-engine/main'))
const LONG_MS = 60_000

/** An engine that has come up, the thread that was started last, and what is told. */
async function lab(t: Test, limits: Partial<EngineLimits>) {
  const threads: Worker[] = []
  const created = (thread: Worker) => void threads.push(thread)
  process.on('worker', created)
  const failures: string[] = []
  const lines: { event?: string; why?: string }[] = []
  const engine = new Engine({
    entry: ENTRY,
    dataDir: t.testdir(),
    logLevel: 'silent',
    log: createLog('info', { write: text => void lines.push(JSON.parse(text)) }),
    limits,
    onFailure: why => void failures.push(why),
  })
  t.teardown(async () => {
    process.off('worker', created)
    await engine.terminate()
  })
  await engine.ask({ kind: 'engine.ping' })
  const last = () => threads.at(-1)!
  return { engine, failures, lines, end: () => last().terminate() }
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
