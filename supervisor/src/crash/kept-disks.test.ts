// Anonymous disks that are kept after a fault of ours, and what they count meanwhile.

import { setTimeout } from 'node:timers/promises'
import { loadConfig } from '@scsipub/config'
import t from 'tap'
import { Admission } from '../admission.js'
import { KeptDisks } from './kept-disks.js'

const PEER = '192.0.2.1'

function lab(keptMs = 10_000) {
  const { free } = loadConfig({ env: { SCSIPUB_FREE_MAXSESSIONSPERADDRESS: '2', SCSIPUB_FREE_MAXSESSIONS: '3' } })
  const admission = new Admission(free, 10_000)
  const destroyed: string[] = []
  const kept = new KeptDisks({ admission, destroy: ids => destroyed.push(...ids), log: { info: () => {} }, keptMs })
  return { admission, destroyed, kept }
}

t.test('a disk is given back once, to the nexus that it is kept for', async t => {
  const { kept, destroyed } = lab()
  t.ok(kept.keep('a', { volumeIds: ['v1', 'v2'], peerAddress: PEER }))
  t.equal(kept.take('b'), undefined)
  t.same(kept.take('a'), ['v1', 'v2'])
  t.equal(kept.take('a'), undefined)
  t.same(destroyed, [])
})

t.test('it is destroyed when nobody comes in time, and when the server stops', async t => {
  const { kept, destroyed } = lab(20)
  kept.keep('a', { volumeIds: ['v1'], peerAddress: PEER })
  await setTimeout(60)
  t.same(destroyed, ['v1'])
  t.equal(kept.take('a'), undefined)
  kept.keep('b', { volumeIds: ['v2'], peerAddress: PEER })
  kept.close()
  t.same(destroyed, ['v1', 'v2'])
  t.notOk(kept.keep('c', { volumeIds: ['v3'], peerAddress: PEER }), 'nothing is kept any more')
})

t.test('kept disks count like sessions of their party, and give way when one of theirs is refused', async t => {
  const { admission, kept, destroyed } = lab()
  kept.keep('a', { volumeIds: ['v1'], peerAddress: PEER })
  kept.keep('b', { volumeIds: ['v2'], peerAddress: PEER })
  admission.connect(PEER)
  t.match(admission.admit(PEER), { why: /too many sessions of one address/ })
  t.equal(
    kept.makeRoom(PEER, () => admission.admit(PEER)),
    undefined,
  )
  t.same(destroyed, ['v1'], 'the oldest goes')
  t.same(kept.take('b'), ['v2'])
  t.equal(admission.admit(PEER), undefined, 'what is taken back counts no more')
  t.match(admission.admit(PEER), { why: /too many sessions of one address/ })
})

t.test('a nexus has one: the next takes the place of the last, which is destroyed', async t => {
  const { kept, destroyed } = lab()
  kept.keep('a', { volumeIds: ['v1'], peerAddress: PEER })
  kept.keep('a', { volumeIds: ['v2'], peerAddress: PEER })
  t.same(destroyed, ['v1'])
  t.same(kept.take('a'), ['v2'])
  t.equal(kept.size, 0)
})

t.test('another process keeps them for the rest of their time, and counts them', async t => {
  const before = lab(3_600_000)
  before.kept.keep('a', { volumeIds: ['v1', 'v2'], peerAddress: PEER })
  await setTimeout(30)
  const estate = before.kept.export()
  t.match(estate, [{ nexus: 'a', volumeIds: ['v1', 'v2'], peerAddress: PEER }])
  t.ok(estate[0]!.leftMs < 3_599_980 && estate[0]!.leftMs > 3_000_000, `${estate[0]!.leftMs} ms are left`)
  const { admission, kept, destroyed } = lab()
  kept.import([...structuredClone(estate), { nexus: 'b', volumeIds: ['v3'], peerAddress: PEER, leftMs: 20 }])
  admission.connect(PEER)
  t.match(admission.admit(PEER), { why: /too many sessions of one address/ }, 'both count')
  await setTimeout(60)
  t.same(destroyed, ['v3'], 'its time was over')
  t.same(kept.take('a'), ['v1', 'v2'])
})

t.test('none goes while another process is about to go on with them; after it, those whose time is over', async t => {
  const { kept, destroyed } = lab(20)
  kept.keep('a', { volumeIds: ['v1'], peerAddress: PEER })
  const letGo = kept.hold()
  kept.keep('b', { volumeIds: ['v2'], peerAddress: PEER })
  await setTimeout(60)
  t.same(destroyed, [])
  t.match(kept.export(), [
    { nexus: 'a', leftMs: 0 },
    { nexus: 'b', leftMs: 0 },
  ])
  letGo()
  t.same(kept.take('b'), ['v2'], 'one that is taken in time stays')
  await setTimeout(60)
  t.same(destroyed, ['v1'])
})

t.test('disks of others do not give way', async t => {
  const { admission, kept, destroyed } = lab()
  kept.keep('a', { volumeIds: ['v1'], peerAddress: '198.51.100.7' })
  admission.connect(PEER)
  t.equal(admission.admit(PEER), undefined)
  t.equal(admission.admit(PEER), undefined)
  t.match(
    kept.makeRoom(PEER, () => admission.admit(PEER)),
    { why: /too many/ },
  )
  t.same(destroyed, [])
})
