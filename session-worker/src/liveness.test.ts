import t from 'tap'
import { GONE_AFTER_MS, Liveness, PING_AFTER_MS } from './liveness.js'

t.test('a silent initiator is pinged once in a while [7143 §11.19]', async t => {
  const liveness = new Liveness()
  t.equal(liveness.check(PING_AFTER_MS - 1, 0), 'nothing')
  t.equal(liveness.check(PING_AFTER_MS, 0), 'ping')
  t.equal(liveness.check(PING_AFTER_MS + 5_000, 0), 'nothing', 'the ping is under way')
  t.equal(liveness.check(2 * PING_AFTER_MS, 0), 'ping')
})

t.test('one that speaks is left alone', async t => {
  const liveness = new Liveness()
  for (let now = 0; now < 10 * PING_AFTER_MS; now += 5_000) t.equal(liveness.check(now, now - 4_000), 'nothing')
})

t.test('one that answered pings and falls silent counts as gone', async t => {
  const liveness = new Liveness()
  liveness.answersPings = true
  t.equal(liveness.check(GONE_AFTER_MS - 1, 0), 'ping')
  t.equal(liveness.check(GONE_AFTER_MS, 0), 'gone')
})

t.test('one that never answered a ping is never judged by its silence', async t => {
  const liveness = new Liveness()
  for (let now = 0; now < 20 * GONE_AFTER_MS; now += 5_000) t.not(liveness.check(now, 0), 'gone')
})
