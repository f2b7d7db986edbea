/** What the supervisor lets a session do, whatever its worker says: proofs, their challenges, and what they are good for. */
import { createHash } from 'node:crypto'
import t from 'tap'
import { Challenges } from './challenges.js'
import { INITIATOR, type Line, type Peer, PREFIX } from './fixtures/harness.js'
import { granted, refusal, start } from './fixtures/steps.js'

const SECRET = '0123456789abcdef'
const OWN = 'fedcba9876543210'
const luns = [{ sizeBytes: 512 }]
const TARGETS = JSON.stringify([
  { name: 'lab', auth: { chap: { user: 'u', secret: SECRET } }, luns },
  { name: 'twin', auth: { chap: { user: 'u', secret: 'another secret!!' } }, luns },
  { name: 'both', auth: { chap: { user: 'u', secret: SECRET, mutual: { user: 'me', secret: OWN } } }, luns },
  { name: 'moved', auth: { chap: { user: 'u', secret: SECRET } }, redirect: { to: '192.0.2.1:3260' } },
])
const env = { SCSIPUB_TARGETS: TARGETS }

const to = (leaf: string) => ({ initiatorName: INITIATOR, sessionType: 'normal', targetName: `${PREFIX}:${leaf}` })
const identify = (peer: Peer, leaf: string) => peer.send({ ask: { ...to(leaf), kind: 'target.identify' } })

function md5(identifier: number, secret: string, challenge: string): string {
  const input = Buffer.concat([Buffer.of(identifier), Buffer.from(secret), Buffer.from(challenge, 'hex')])
  return createHash('md5').update(input).digest('hex')
}

/** The proof that fits what `target.identify` gave. */
function proof(leaf: string, given: Line | undefined, more: object = {}): object {
  const response = md5(Number(given?.['identifier']), SECRET, String(given?.['challenge']))
  return { ask: { ...to(leaf), kind: 'chap.prove', algorithm: 'md5', user: 'u', response, ...more } }
}

t.test('a challenge is random, is known again, and no other is [7143 §9.2.1]', async t => {
  const challenges = new Challenges()
  const made = Array.from({ length: 100 }, () => challenges.make())
  t.equal(new Set(made.map(bytes => bytes.subarray(0, 16).toString('hex'))).size, 100)
  for (const bytes of made) {
    t.equal(bytes.length, 32)
    t.ok(challenges.isOurs(bytes))
    const flipped = Buffer.from(bytes)
    flipped[31]! ^= 1
    t.notOk(challenges.isOurs(flipped))
    t.notOk(challenges.isOurs(bytes.subarray(0, 31)))
    t.notOk(new Challenges().isOurs(bytes), 'another server does not know it')
  }
})

t.test('without a proof there is no nexus, whatever a session worker says', async t => {
  const server = start(t, { env })
  const peer = await server.connect()
  t.equal(refusal(await peer.open(to('lab'))), 0x0201, 'not even identified')
  const given = await identify(peer, 'lab')
  t.equal(refusal(await peer.open(to('lab'))), 0x0201, 'challenged')
  t.match(await peer.send(proof('lab', given)), {})
  t.equal(refusal(await peer.open(to('twin'))), 0x0201, 'a proof for one target opens no other')
  t.equal(granted(await peer.open(to('lab'))).luns.length, 1)
})

t.test('a challenge is good for one proof, and for the session that has it [1994 §2.3]', async t => {
  const server = start(t, { env })
  const [a, b] = [await server.connect(), await server.connect()]
  const given = await identify(a, 'lab')
  t.match(await b.send(proof('lab', given)), { refuse: { detail: 1 } }, 'another session')
  await identify(b, 'lab')
  t.match(await b.send(proof('lab', given)), { refuse: { detail: 1 } }, 'with a challenge of its own')
  t.match(await a.send(proof('lab', given, { user: 'x' })), { refuse: { detail: 1 } }, 'a first proof')
  t.match(await a.send(proof('lab', given)), { refuse: { detail: 1 } }, 'a second one')
  t.equal(refusal(await a.open(to('lab'))), 0x0201)
})

t.test('the target proves itself where that is configured, and only there [7143 §12.1.3]', async t => {
  const server = start(t, { env })
  const mutual = { identifier: 3, challenge: '00ff' }
  const attempt = async (leaf: string, more: object) => {
    const peer = await server.connect()
    return peer.send(proof(leaf, await identify(peer, leaf), more))
  }
  t.same(await attempt('both', { mutual }), { mutual: { user: 'me', response: md5(3, OWN, '00ff') } })
  t.match(await attempt('both', {}), { refuse: { class: 2, detail: 1 } })
  t.match(await attempt('lab', { mutual }), { refuse: { class: 2, detail: 1 } })
  t.match(await attempt('both', { mutual, response: '00'.repeat(16) }), { refuse: { class: 2, detail: 1 } })
  const peer = await server.connect()
  const given = await identify(peer, 'both')
  const reflected = { identifier: given?.['identifier'], challenge: given?.['challenge'] }
  t.match(await peer.send(proof('both', given, { mutual: reflected })), { refuse: { class: 2, detail: 1 } })
  t.match(await server.logged('login.refused', line => String(line['why']).includes('reflects')), { status: '0201' })
})

t.test(
  'who wants a target that has moved is told where to, before any proof, as often as he asks [7143 §11.13.5]',
  async t => {
    const server = start(t, { env })
    const peer = await server.connect()
    const moved = { refuse: { class: 1, detail: 1, targetAddress: '192.0.2.1:3260' } }
    t.match(await identify(peer, 'moved'), moved)
    t.match(await peer.open(to('moved')), moved, 'no nexus there either')
  },
)
