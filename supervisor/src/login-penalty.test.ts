/** Failed logins are delayed more and more, and forgotten in time; the right secret never waits. */
import t from 'tap'
import { type Harness, INITIATOR, PREFIX } from './fixtures/harness.js'
import { start } from './fixtures/steps.js'
import { LoginPenalty } from './login-penalty.js'

t.test('the delay doubles with every failure of a party, up to two seconds', async t => {
  const penalty = new LoginPenalty({ holdsForLoopback: false, now: () => 0 })
  const delays = Array.from({ length: 8 }, () => penalty.failed('192.0.2.7'))
  t.same(delays, [50, 100, 200, 400, 800, 1600, 2000, 2000])
  t.equal(penalty.failed('192.0.2.8'), 50, 'another address has its own count')
  t.equal(penalty.failed('2001:db8::1'), 50)
  t.equal(penalty.failed('2001:db8::2'), 100, 'a /64 is one party')
  t.equal(penalty.failed('127.0.0.1'), 0, 'loopback waits only where caps hold for it')
  t.equal(new LoginPenalty({ holdsForLoopback: true }).failed('127.0.0.1'), 50)
})

t.test('a minute without failures is forgiven, and what is remembered is bounded', async t => {
  let now = 0
  const penalty = new LoginPenalty({ holdsForLoopback: false, now: () => now })
  penalty.failed('192.0.2.7')
  now = 59_999
  t.equal(penalty.failed('192.0.2.7'), 100)
  now += 60_000
  t.equal(penalty.failed('192.0.2.7'), 50)
  for (let host = 0; host < 20_000; host++) penalty.failed(`10.0.${host >> 8}.${host & 255}`)
  t.equal(penalty.size, 10_000)
  now += 60_000
  penalty.failed('192.0.2.7')
  t.equal(penalty.size, 1, 'old failures do not stay')
})

t.test('refusals of a session wait that long; a right proof does not', async t => {
  const targets = [
    { name: 'lab', auth: { chap: { user: 'u', secret: '0123456789abcdef' } }, luns: [{ sizeBytes: 512 }] },
  ]
  const env = { SCSIPUB_FREE_CAPLOOPBACK: 'true', SCSIPUB_TARGETS: JSON.stringify(targets) }
  const server: Harness = start(t, { env })
  const who = { initiatorName: INITIATOR, sessionType: 'normal', targetName: `${PREFIX}:lab` }
  const proof = { ...who, kind: 'chap.prove', algorithm: 'md5', user: 'u', response: '00'.repeat(16) }
  const took: number[] = []
  for (let count = 0; count < 4; count++) {
    const peer = await server.connect()
    t.match(await peer.send({ ask: { ...who, kind: 'target.identify' } }), {
      auth: 'chap',
      challenge: /^[0-9a-f]{64}$/,
    })
    const before = performance.now()
    t.match(await peer.send({ ask: proof }), { refuse: { class: 2, detail: 1 } })
    took.push(performance.now() - before)
  }
  for (const [index, least] of [50, 100, 200, 400].entries()) t.ok((took[index] ?? 0) >= least - 2, `${took[index]} ms`)
})
