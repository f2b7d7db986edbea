// The end of a storage engine, as who watches the metrics sees it.

import t from 'tap'
import { eventually, until } from '../protocol/lab.js'
import { metricsOf } from '../protocol/operator.js'
import { EngineLab } from './engine-lab.js'

/** It is down for who asks when it does not answer at once. */
async function whenUp(server: { api: string }): Promise<ReadonlyMap<string, number>> {
  let metrics: ReadonlyMap<string, number> = new Map()
  const isUp = async () => {
    metrics = await metricsOf(server)
    return metrics.get('scsipub_engine_up')
  }
  if ((await eventually(isUp, 1)) !== 1) throw new Error('the engine is not up')
  return metrics
}

await t.test('an engine that dies and is started again is counted, and is up afterwards', async t => {
  await EngineLab.with(t, {}, async lab => {
    const server = { api: `http://${lab.server.httpAddress}` }
    const before = await whenUp(server)
    t.equal(before.get('scsipub_engine_died_total'), 0)
    lab.cause('throw')
    await until('another engine', () => lab.count('engine.restarted') === 1)
    const now = await whenUp(server)
    t.equal(now.get('scsipub_engine_died_total'), 1)
    t.equal(now.get('scsipub_engine_restarts_total'), 1)
    t.type(now.get('scsipub_engine_answer_seconds'), 'number')
  })
})
