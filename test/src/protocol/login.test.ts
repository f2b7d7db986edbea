// Login: stages, texts in pieces, and what comes out of the negotiation [7143 §6.2, §6.3, §11.12, §11.13, §13].

import { encodeKeys, Initiator, identityKeys, LoginTalk, type TextKeys, transit, Wire } from '@scsipub/testkit'
import t from 'tap'
import { withServer } from '../harness/server.js'
import { BLANK, content, portal, withSession } from './lab.js'

const ME = identityKeys({ target: BLANK })

await withServer(t, {}, async server => {
  /** A login of the test's own, on a connection that ends with the test. */
  async function talk(use: (login: LoginTalk) => Promise<void>) {
    const wire = await Wire.connect(portal(server))
    try {
      await use(new LoginTalk(wire))
    } finally {
      await wire.end()
    }
  }

  await t.test('a login goes through the security and the operational stage [7143 §6.3]', async t => {
    await talk(async login => {
      const first = await login.ask(transit(0, 1), { ...ME, AuthMethod: 'None' })
      t.match(first, { status: 0, transit: true, csg: 0, nsg: 1, tsih: 0, versionMax: 0, versionActive: 0 })
      t.equal(first.keys.AuthMethod, 'None')
      const second = await login.ask(transit(1, 3), { MaxRecvDataSegmentLength: '8192' })
      t.match(second, { status: 0, transit: true, csg: 1, nsg: 3 })
      t.not(second.tsih, 0, 'the last response gives the session a TSIH [7143 §11.13.3]')
    })
  })

  await t.test('the login may begin with the operational stage [7143 §6.3]', async t => {
    await talk(async login => {
      const answer = await login.ask(transit(1, 3), ME)
      t.match(answer, { status: 0, transit: true, csg: 1, nsg: 3 })
    })
  })

  await t.test(
    'the security stage may lead to full feature phase, with the default of every key [7143 §6.3, §13]',
    async t => {
      const wire = await Wire.connect(portal(server))
      const login = new LoginTalk(wire)
      const answer = await login.ask(transit(0, 3), { ...ME, AuthMethod: 'None' })
      t.match(answer, { status: 0, transit: true, nsg: 3 })
      await wire.end()
      await withSession(server, { keys: { MaxRecvDataSegmentLength: '8192' }, skipSecurity: true }, async initiator => {
        t.equal((await initiator.read(0, 64)).length, 64 * 512)
      })
    },
  )

  await t.test('without T the stage stays, and may be left later [7143 §11.12.1]', async t => {
    await talk(async login => {
      const first = await login.ask({ csg: 1 }, ME)
      t.match(first, { status: 0, transit: false, csg: 1 })
      const second = await login.ask({ csg: 1 }, { MaxBurstLength: '65536' })
      t.match(second, { status: 0, transit: false, keys: { MaxBurstLength: '65536' } })
      t.match(await login.ask(transit(1, 3)), { status: 0, transit: true, nsg: 3 })
    })
  })

  await t.test('NSG means nothing without T [7143 §11.12.3]', async t => {
    await talk(async login => {
      t.match(await login.ask({ csg: 0, nsg: 2 }, { ...ME, AuthMethod: 'None' }), { status: 0, transit: false })
    })
  })

  await t.test('a text in several requests, cut anywhere, is one text [7143 §6.2, §11.12.2]', async t => {
    const text = encodeKeys({ ...ME, MaxBurstLength: '4096', 'X-example.test': 'v' })
    for (const size of [1, 5, 60, text.length - 1]) {
      await talk(async login => {
        // At most 40 requests make a login, so the small pieces come first and the rest follows in one.
        const cuts = [...Array(Math.min(30, Math.ceil(text.length / size) - 1)).keys()].map(index => (index + 1) * size)
        let at = 0
        for (const cut of cuts) {
          const answer = await login.ask({ csg: 1, continue: true }, text.subarray(at, cut))
          t.match(answer, { status: 0, transit: false, continue: false })
          t.equal(answer.data.length, 0, 'an empty answer asks for more')
          at = cut
        }
        const answer = await login.ask(transit(1, 3), text.subarray(at))
        t.match(answer, {
          status: 0,
          transit: true,
          keys: { MaxBurstLength: '4096', 'X-example.test': 'NotUnderstood' },
        })
      })
    }
  })

  const outcomes: readonly [offer: TextKeys, answer: TextKeys, section: string][] = [
    [{ HeaderDigest: 'CRC32C,None' }, { HeaderDigest: 'CRC32C' }, '§13.1'],
    [{ HeaderDigest: 'None,CRC32C' }, { HeaderDigest: 'None' }, '§13.1'],
    [{ DataDigest: 'CRC32C' }, { DataDigest: 'CRC32C' }, '§13.1'],
    [{ DataDigest: 'X-own,None' }, { DataDigest: 'None' }, '§13.1'],
    [{ HeaderDigest: 'X-own' }, { HeaderDigest: 'Reject' }, '§6.2.1'],
    [{ MaxConnections: '8' }, { MaxConnections: '4' }, '§13.2'],
    [{ MaxConnections: '3' }, { MaxConnections: '3' }, '§13.2'],
    [{ MaxConnections: '1' }, { MaxConnections: '1' }, '§13.2'],
    [{ InitialR2T: 'Yes' }, { InitialR2T: 'Yes' }, '§13.10'],
    [{ ImmediateData: 'No' }, { ImmediateData: 'No' }, '§13.11'],
    [{ ImmediateData: 'Yes' }, { ImmediateData: 'Yes' }, '§13.11'],
    [{ MaxBurstLength: '512' }, { MaxBurstLength: '512' }, '§13.13'],
    [{ MaxBurstLength: '0x1000' }, { MaxBurstLength: '4096' }, '§6.1'],
    [{ MaxBurstLength: '4096', FirstBurstLength: '8192' }, { FirstBurstLength: '4096' }, '§13.14'],
    [{ FirstBurstLength: '8192', MaxBurstLength: '4096' }, { FirstBurstLength: '4096' }, '§13.14'],
    [{ DefaultTime2Wait: '30' }, { DefaultTime2Wait: '30' }, '§13.15'],
    [{ DefaultTime2Retain: '0' }, { DefaultTime2Retain: '0' }, '§13.16'],
    [{ MaxOutstandingR2T: '1' }, { MaxOutstandingR2T: '1' }, '§13.17'],
    [{ DataPDUInOrder: 'No' }, { DataPDUInOrder: 'Yes' }, '§13.18'],
    [{ DataSequenceInOrder: 'No' }, { DataSequenceInOrder: 'Yes' }, '§13.19'],
    [{ ErrorRecoveryLevel: '2' }, { ErrorRecoveryLevel: '0' }, '§13.20'],
    [{ IFMarker: 'Yes', OFMarker: 'Yes' }, { IFMarker: 'No', OFMarker: 'No' }, '§13.25'],
    [{ MaxBurstLength: '511' }, { MaxBurstLength: 'Reject' }, '§6.2'],
    [{ InitialR2T: 'yes' }, { InitialR2T: 'Reject' }, '§6.1'],
    [{ Nonsense: '1' }, { Nonsense: 'NotUnderstood' }, '§6.2'],
  ]
  await t.test('each key is answered by its result function', async t => {
    for (const [offer, answer, section] of outcomes) {
      await talk(async login => {
        const { status, keys } = await login.ask(transit(1, 3), { ...ME, ...offer })
        const title = `${JSON.stringify(offer)} gives ${JSON.stringify(answer)} [7143 ${section}]`
        t.match({ status, ...keys }, { status: 0, ...answer }, title)
      })
    }
  })

  await t.test('keys of data transfer are irrelevant in a discovery session [7143 §13]', async t => {
    await talk(async login => {
      const offer = { MaxBurstLength: '4096', InitialR2T: 'No', HeaderDigest: 'None' }
      const { status, keys } = await login.ask(transit(1, 3), { ...identityKeys({}), ...offer })
      t.match(
        { status, ...keys },
        { status: 0, MaxBurstLength: 'Irrelevant', InitialR2T: 'Irrelevant', HeaderDigest: 'None' },
      )
      t.notOk('TargetPortalGroupTag' in keys, 'a discovery session has no target [7143 §13.9]')
    })
  })

  await t.test(
    'the first response of a normal session tells the portal group, and only the first [7143 §13.9]',
    async t => {
      await talk(async login => {
        t.equal((await login.ask(transit(0, 1), { ...ME, AuthMethod: 'None' })).keys.TargetPortalGroupTag, '1')
        t.notOk('TargetPortalGroupTag' in (await login.ask(transit(1, 3))).keys)
      })
    },
  )

  await t.test(
    'the target tells how long a data segment it takes, and takes one of that length [7143 §13.12]',
    async t => {
      await withSession(server, {}, async initiator => {
        const length = initiator.agreed.targetMaxRecvDataSegmentLength
        t.equal(initiator.session.keys.MaxRecvDataSegmentLength, String(length))
        const data = content(length, 1)
        await initiator.write(0, data)
        t.same(await initiator.read(0, length / 512), data)
      })
    },
  )

  await t.test('the same name again is no new offer; libiscsi sends it twice [7143 §6.2]', async t => {
    await talk(async login => {
      await login.ask(transit(0, 1), { ...ME, AuthMethod: 'None' })
      t.match(await login.ask(transit(1, 3), { InitiatorName: ME.InitiatorName ?? '' }), { status: 0, transit: true })
    })
  })

  await t.test(
    '60 keys with the longest names are all answered, in a segment of at most 8192 bytes [7143 §6.2, §13.12]',
    async t => {
      await talk(async login => {
        const names = Array.from({ length: 60 }, (_, index) => `X-${String(index).padStart(2, '0')}${'k'.repeat(59)}`)
        const answer = await login.whole(transit(1, 3), {
          ...ME,
          ...Object.fromEntries(names.map(name => [name, '1'])),
        })
        t.equal(answer.status, 0)
        for (const name of names) t.equal(answer.keys[name], 'NotUnderstood')
        t.ok(answer.dataSegmentLength <= 8192)
      })
    },
  )

  await t.test('names are compared without regard to case [7143 §4.2.7]', async t => {
    await withSession(server, { target: BLANK.toUpperCase() }, async initiator => {
      t.equal((await initiator.read(0, 1)).length, 512)
    })
  })

  await t.test('live sessions have different TSIHs, none of them 0 [7143 §11.13.3]', async t => {
    const sessions = await Promise.all(
      Array.from({ length: 8 }, () => Initiator.login(portal(server), { target: BLANK })),
    )
    const tsihs = new Set(sessions.map(({ tsih }) => tsih))
    t.equal(tsihs.size, 8)
    t.notOk(tsihs.has(0))
    await Promise.all(sessions.map(session => session.close()))
  })

  await t.test('CmdSN and StatSN go on from the login [7143 §11.12.8, §11.12.9]', async t => {
    await talk(async login => {
      const first = await login.ask({ csg: 1, cmdSn: 77, expStatSn: 0xffffffff }, ME)
      t.equal(first.statSn, 0xffffffff, 'the initiator gives the first StatSN, some rely on it')
      t.match(first, { expCmdSn: 77 }, 'a login takes no CmdSN')
      t.equal((await login.ask({ ...transit(1, 3), cmdSn: 77 })).statSn, 0)
    })
    await withSession(server, { cmdSn: 0xfffffffe }, async initiator => {
      for (let count = 0; count < 5; count++) t.equal((await initiator.read(count, 1)).length, 512)
      t.equal(initiator.watch.expCmdSn, 3)
    })
  })
})
