// The end of a storage engine, as who watches the metrics sees it.

import t from 'tap'
import { until } from '../protocol/lab.js'
import { metricsOf } from '../protocol/operator.js'
import { EngineLab } from './engine-lab.js'

await t.test('an engine that dies and is started again is counted, and is up afterwards', async t => {
  await EngineLab.with(t, {}, async lab => {
    const server = { api: `http://${lab.server.httpAddress}` }
    const before = await metricsOf(server)
    t.equal(before.get('scsipub_engine_died_total'), 0)
    t.equal(before.get('scsipub_engine_up'), 1)
    lab.cause('throw')
    await until('another engine', () => lab.count('engine.restarted') === 1, { deadlineMs: 30_000 })
    const now = await metricsOf(server)
    t.equal(now.get('scsipub_engine_died_total'), 1)
    t.equal(now.get('scsipub_engine_restarts_total'), 1)
    t.equal(now.get('scsipub_engine_up'), 1)
    t.ok((now.get('scsipub_engine_answer_seconds') ?? 9) < 2)
  })
})
