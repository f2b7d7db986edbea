/** Logins as the supervisor answers them: real threads, sockets and storage engine; the worker speaks lines of JSON. */
import { testFolder } from '@scsipub/testkit'
import t from 'tap'
import { INITIATOR, type Peer, PREFIX } from './fixtures/harness.js'
import { granted, refusal, start } from './fixtures/steps.js'

const LAB = JSON.stringify([{ name: 'lab', auth: 'none', luns: [{ sizeBytes: 1_048_576 }, { sizeBytes: 2_097_152 }] }])

t.test('a login to :blank gets a private disk of 64 MiB with a quota of 64 MiB, gone after the session', async t => {
  const server = start(t)
  const peer = await server.connect()
  const { luns, tsih, nexusLost } = granted(await peer.open())
  t.equal(tsih, 1)
  t.equal(nexusLost, false)
  t.equal(luns.length, 1)
  t.match(luns[0], { lun: 0, product: 'BLANK', readOnly: false })
  t.match(luns[0]?.volume.spec, {
    persistence: 'ephemeral',
    sizeBytes: 67_108_864,
    quotaBytes: 67_108_864,
    blockBytes: 512,
  })
  const other = await server.connect()
  const second = granted(await other.open({ isid: '00023d000002' }))
  t.not(second.luns[0]?.volume.identity.serial, luns[0]?.volume.identity.serial, 'each login has a disk of its own')
  t.not(second.tsih, tsih, 'TSIHs are unique among live sessions [7143 §3.4.3]')
  await peer.send({ do: 'logout' })
  t.match(await server.logged('session.ended'), {
    outcome: 'logout',
    initiator: INITIATOR,
    target: `${PREFIX}:blank`,
    tsih: 1,
  })
})

t.test('a LUN of the configuration is what it was told to be, and usual where nothing was said', async t => {
  const kind = { blockBytes: 4096, readOnly: true, removable: true, thin: false }
  const luns = [{ sizeBytes: 1_048_576, ...kind }, { sizeBytes: 1_048_576 }]
  const server = start(t, { env: { SCSIPUB_TARGETS: JSON.stringify([{ name: 'kinds', auth: 'none', luns }]) } })
  const peer = await server.connect()
  const { luns: grants } = granted(await peer.open({ targetName: `${PREFIX}:kinds` }))
  const { blockBytes, ...rest } = kind
  t.match(grants[0], rest)
  t.equal(grants[0]?.volume.spec.blockBytes, blockBytes)
  t.match(grants[1], { readOnly: false, removable: false, thin: true })
  t.equal(grants[1]?.volume.spec.blockBytes, 512)
})

t.test(
  'a target name is found in any case [RFC 3722]; an unknown one is 0203, a missing one 0207 [7143 §11.13.5]',
  async t => {
    const server = start(t)
    const peer = await server.connect()
    const identify = { kind: 'target.identify', initiatorName: INITIATOR, sessionType: 'normal' }
    t.match(await peer.send({ ask: { ...identify, targetName: `${PREFIX.toUpperCase()}:BLANK` } }), { auth: 'none' })
    t.match(await peer.send({ ask: { ...identify, targetName: `${PREFIX}:nothing` } }), {
      refuse: { class: 2, detail: 3 },
    })
    t.match(await peer.send({ ask: identify }), { refuse: { class: 2, detail: 7 } })
    t.match(await peer.send({ ask: { ...identify, targetName: `${PREFIX}:\u001b[31m\u202e` } }), {
      refuse: { class: 2, detail: 3 },
    })
    t.match(await server.logged('login.refused', line => String(line['target']).includes('[31m')), {
      target: `${PREFIX}:[31m`,
    })
    t.equal(granted(await peer.open({ targetName: `${PREFIX}:Multi` })).luns.length, 4)
  },
)

t.test(
  'discovery lists every target at the address that was connected to; a normal session sees its own only',
  async t => {
    const server = start(t, { env: { SCSIPUB_TARGETS: LAB } })
    const { port } = await server.ready()
    const peer = await server.connect()
    t.match(await peer.open({ sessionType: 'discovery', targetName: undefined }), { luns: [], nexusLost: false })
    const list = { kind: 'targets.list', initiatorName: INITIATOR, localAddress: `127.0.0.1:${port}` }
    const addresses = [{ address: `127.0.0.1:${port}`, portalGroupTag: 1 }]
    t.same(await peer.send({ ask: list }), {
      targets: ['blank', 'multi', 'lab'].map(leaf => ({ name: `${PREFIX}:${leaf}`, addresses })),
    })
    const normal = await server.connect()
    await normal.open()
    t.same(await normal.send({ ask: list }), { targets: [{ name: `${PREFIX}:blank`, addresses }] })
  },
)

t.test('advertise.iscsi replaces the address in SendTargets', async t => {
  const server = start(t, { env: { SCSIPUB_ADVERTISE_ISCSI: 'disks.example.com:3260' } })
  const peer = await server.connect()
  const reply = await peer.send({
    ask: { kind: 'targets.list', initiatorName: INITIATOR, localAddress: '10.0.0.1:3260' },
  })
  t.match(reply, { targets: [{ addresses: [{ address: 'disks.example.com:3260' }] }] })
})

t.test("the operator's target is one persistent disk for all, without quota, and the same after a restart", async t => {
  const dataDir = testFolder(t)
  const serials: (string | undefined)[] = []
  for (let round = 0; round < 2; round++) {
    const server = start(t, { dataDir, env: { SCSIPUB_TARGETS: LAB } })
    for (const isid of ['00023d000001', '00023d000002']) {
      const peer = await server.connect()
      const { luns } = granted(await peer.open({ isid, targetName: `${PREFIX}:lab` }))
      t.equal(luns.length, 2)
      t.match(luns[1]?.volume.spec, {
        volumeId: 'lab.lun1',
        persistence: 'persistent',
        sizeBytes: 2_097_152,
        quotaBytes: 0,
      })
      serials.push(luns[0]?.volume.identity.serial)
    }
    t.equal(await server.stop(), 0)
  }
  t.equal(new Set(serials).size, 1)
})

t.test('the caps: sessions of one address and in all are told 0301, try again; ended ones make room', async t => {
  const env = { SCSIPUB_FREE_CAPLOOPBACK: 'true', SCSIPUB_FREE_MAXSESSIONSPERADDRESS: '2', SCSIPUB_TARGETS: LAB }
  const server = start(t, { env })
  const peers = await Promise.all(Array.from({ length: 4 }, () => server.connect()))
  const [a, b, c, d] = peers as [Peer, Peer, Peer, Peer]
  granted(await a.open({ isid: '00023d000001' }))
  granted(await b.open({ isid: '00023d000002' }))
  t.equal(refusal(await c.open({ isid: '00023d000003' })), 0x0301)
  t.match(await server.logged('login.refused'), { status: '0301', why: 'too many sessions of one address' })
  granted(await d.open({ isid: '00023d000004', targetName: `${PREFIX}:lab` }))
  await a.send({ do: 'logout' })
  await server.logged('session.ended')
  granted(await c.open({ isid: '00023d000003' }))
})

t.test('a reinstating login needs no room beside its old session', async t => {
  const server = start(t, { env: { SCSIPUB_FREE_MAXSESSIONS: '1' } })
  const [a, b] = [await server.connect(), await server.connect()]
  granted(await a.open())
  t.equal(refusal(await b.open({ isid: '00023d000002' })), 0x0301)
  granted(await b.open())
})

t.test('connections far beyond the cap are closed without a word', async t => {
  const server = start(t, { env: { SCSIPUB_FREE_CAPLOOPBACK: 'true', SCSIPUB_FREE_MAXSESSIONSPERADDRESS: '1' } })
  const peers = await Promise.all(Array.from({ length: 34 }, () => server.connect()))
  await Promise.race(peers.map(peer => peer.closed))
  t.match(await server.logged('connection.refused'), { why: 'too many connections' })
  t.match(await peers[0]?.send({ do: 'where' }), { threadId: Number })
})
