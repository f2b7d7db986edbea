// Logins that must fail, each with the status for its fault, after which the connection ends [7143 §6.3, §11.13.5].

import { loginRequest, loginResponse, scsiCommand } from '@scsipub/iscsi'
import {
  encodeKeys,
  identityKeys,
  LoginTalk,
  randomIsid,
  type TextKeys,
  type TextPairs,
  transit,
  Wire,
} from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLANK, portal, withSession } from './lab.js'

const ME = identityKeys({ target: BLANK })
const { InitiatorName: MY_NAME = '', TargetName: TARGET = '' } = ME

/** The time that a login has. */
const LOGIN_MS = 15_000

type Fields = Parameters<LoginTalk['send']>[0]
type Text = TextKeys | TextPairs | Buffer
type Step = readonly [fields: Fields, text?: Text]

/** All but the last step have to succeed. */
const refused: readonly [title: string, status: number, ...steps: Step[]][] = [
  ['an unknown target [7143 §11.13.5]', 0x0203, [transit(1, 3), { ...ME, TargetName: iqn('no-such') }]],
  ['a target name that is no name [7143 §4.2.7]', 0x0203, [transit(1, 3), { ...ME, TargetName: 'blank' }]],
  ['no InitiatorName [7143 §13.5]', 0x0207, [transit(1, 3), { TargetName: TARGET }]],
  ['no TargetName in a normal session [7143 §13.4]', 0x0207, [transit(1, 3), { InitiatorName: MY_NAME }]],
  ['nothing at all [7143 §13.5]', 0x0207, [transit(0, 1)]],
  ['a newer version [7143 §11.12.4]', 0x0205, [{ ...transit(1, 3), versionMin: 1, versionMax: 2 }, ME]],
  ['a TSIH of no session [7143 §6.3.1]', 0x020a, [{ ...transit(1, 3), tsih: 0xfff0 }, ME]],
  ['a TSIH in a discovery session [7143 §6.3.1]', 0x020a, [{ ...transit(1, 3), tsih: 0xfff0 }, identityKeys({})]],
  ['an unknown SessionType [7143 §13.21]', 0x0209, [transit(1, 3), { ...ME, SessionType: 'Other' }]],
  ['no common AuthMethod [7143 §12.1]', 0x0201, [transit(0, 1), { ...ME, AuthMethod: 'KRB5,SRP' }]],
  ['T and C at once [7143 §11.12.2]', 0x0200, [{ ...transit(1, 3), continue: true }, ME]],
  ['current stage 2 [7143 §11.12.3]', 0x0200, [{ csg: 2 }, ME]],
  ['current stage 3 [7143 §11.12.3]', 0x0200, [{ csg: 3 }, ME]],
  ['next stage 2 [7143 §11.12.3]', 0x0200, [transit(0, 2), { ...ME, AuthMethod: 'None' }]],
  ['a next stage that is the current one [7143 §11.12.3]', 0x0200, [transit(1, 1), ME]],
  ['a next stage before the current one [7143 §11.12.3]', 0x0200, [transit(1, 0), ME]],
  [
    'back to a stage that was left [7143 §6.3]',
    0x0200,
    [transit(0, 1), { ...ME, AuthMethod: 'None' }],
    [{ csg: 0 }, {}],
  ],
  [
    'a stage that was not agreed on [7143 §6.3]',
    0x0200,
    [{ csg: 0 }, { ...ME, AuthMethod: 'None' }],
    [transit(1, 3), {}],
  ],
  ['not immediate [7143 §11.12]', 0x0200, [{ ...transit(1, 3), immediate: false }, ME]],
  [
    'a key twice with two values [7143 §6.2]',
    0x0200,
    [transit(1, 3), [...Object.entries(ME), ['MaxBurstLength', '512'], ['MaxBurstLength', '1024']]],
  ],
  [
    'a key again in a later request [7143 §6.2]',
    0x0200,
    [{ csg: 1 }, { ...ME, MaxBurstLength: '512' }],
    [transit(1, 3), { MaxBurstLength: '512' }],
  ],
  [
    'another InitiatorName later [7143 §6.2]',
    0x0200,
    [{ csg: 1 }, ME],
    [transit(1, 3), { InitiatorName: `${MY_NAME}2` }],
  ],
  [
    'AuthMethod negotiated again [7143 §6.2]',
    0x0200,
    [{ csg: 0 }, { ...ME, AuthMethod: 'None' }],
    [transit(0, 1), { AuthMethod: 'None' }],
  ],
  [
    'an operational key in the security stage [7143 §6.3.2]',
    0x0200,
    [transit(0, 1), { ...ME, AuthMethod: 'None', MaxBurstLength: '512' }],
  ],
  ['a security key in the operational stage [7143 §6.3.3]', 0x0200, [transit(1, 3), { ...ME, AuthMethod: 'None' }]],
  ['a CHAP key that nobody asked for [7143 §12.1]', 0x0200, [{ csg: 0 }, { ...ME, CHAP_A: '5' }]],
  ['SendTargets in a login [7143 §13.3]', 0x0200, [transit(1, 3), { ...ME, SendTargets: 'All' }]],
  ['a key that only targets send [7143 §13.9]', 0x0200, [transit(1, 3), { ...ME, TargetPortalGroupTag: '1' }]],
  ['a key of 64 bytes [7143 §6.1]', 0x0200, [transit(1, 3), { ...ME, [`X${'y'.repeat(63)}`]: '1' }]],
  ['a value of 256 bytes [7143 §6.1]', 0x0200, [transit(1, 3), { ...ME, InitiatorAlias: 'a'.repeat(256) }]],
  [
    'a pair without "=" [7143 §6.1]',
    0x0200,
    [transit(1, 3), Buffer.concat([encodeKeys(ME), Buffer.from('Nonsense\0')])],
  ],
  ['a key that is no label [7143 §6.1]', 0x0200, [transit(1, 3), { ...ME, 'small key': '1' }]],
  [
    'a value that is not UTF-8 [7143 §6.1]',
    0x0200,
    [transit(1, 3), Buffer.concat([encodeKeys(ME), Buffer.from('InitiatorAlias=\xff\xfe\0', 'latin1')])],
  ],
  ['an InitiatorName that is none [7143 §4.2.7]', 0x0200, [transit(1, 3), { ...ME, InitiatorName: 'me' }]],
  [
    'a name with a control character [7143 §4.2.7]',
    0x0200,
    [transit(1, 3), { ...ME, InitiatorName: `${MY_NAME}\x1b[2J` }],
  ],
  [
    'a MaxRecvDataSegmentLength out of range [7143 §13.12]',
    0x0200,
    [transit(1, 3), { ...ME, MaxRecvDataSegmentLength: '511' }],
  ],
  [
    '65 keys in one text',
    0x0200,
    [transit(1, 3), Object.entries(Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`X-k${index}`, '1'])))],
  ],
  [
    'another ISID in the same login [7143 §11.12.5]',
    0x020b,
    [{ csg: 1 }, ME],
    [{ ...transit(1, 3), isid: Buffer.from('800000000001', 'hex') }],
  ],
  ['another CID in the same login [7143 §11.12.7]', 0x020b, [{ csg: 1 }, ME], [{ ...transit(1, 3), cid: 9 }]],
  [
    'another task tag in the same login [7143 §11.12]',
    0x020b,
    [{ csg: 1 }, ME],
    [{ ...transit(1, 3), initiatorTaskTag: 9 }],
  ],
]

await withServer(t, {}, async server => {
  const connect = () => Wire.connect(portal(server))

  for (const [title, status, ...steps] of refused) {
    await t.test(`${title}: ${status.toString(16).padStart(4, '0')}`, async t => {
      const wire = await connect()
      const login = new LoginTalk(wire)
      for (const [fields, text] of steps.slice(0, -1)) t.equal((await login.ask(fields, text)).status, 0)
      const [fields, text] = steps.at(-1) ?? [{}]
      const answer = await login.ask(fields, text)
      t.equal(answer.status.toString(16), status.toString(16))
      t.equal(answer.transit, false)
      await wire.closed
      t.same(wire.inbox.unread, [], 'one answer, then the end')
    })
  }

  await t.test('a login that goes on for ever is refused with 0200', async t => {
    const wire = await connect()
    const login = new LoginTalk(wire)
    let answer = await login.ask({ csg: 1 }, ME)
    let count = 1
    while (answer.status === 0 && count < 100) {
      answer = await login.ask({ csg: 1 })
      count += 1
    }
    t.equal(answer.status, 0x0200)
    t.equal(count, 11)
    await wire.closed
  })

  await t.test('a text of 64 KiB in pieces is refused with 0200', async t => {
    const wire = await connect()
    const login = new LoginTalk(wire)
    let answer = await login.ask({ csg: 0, continue: true }, Buffer.alloc(4096, 'a'))
    for (let count = 1; answer.status === 0 && count < 16; count++) {
      answer = await login.ask({ csg: 0, continue: true }, Buffer.alloc(4096, 'a'))
    }
    t.equal(answer.status, 0x0200)
    await wire.closed
  })

  await t.test('any other PDU before the login ends the connection without an answer [7143 §6.3]', async t => {
    const wire = await connect()
    wire.send(scsiCommand.encode({ final: true, initiatorTaskTag: 1 }))
    await wire.closed
    t.same(wire.inbox.unread, [])
  })

  await t.test('any other PDU between two login requests ends the connection [7143 §6.3]', async t => {
    const wire = await connect()
    const login = new LoginTalk(wire)
    await login.ask(transit(0, 1), { ...ME, AuthMethod: 'None' })
    wire.send(scsiCommand.encode({ final: true, initiatorTaskTag: 1 }))
    await wire.closed
    t.same(wire.inbox.unread, [])
  })

  await t.test(
    'a data segment of more than 8192 bytes ends the connection before it is taken [7143 §13.12]',
    async t => {
      const wire = await connect()
      const header = scsiCommand.encode({ opcode: 0x03, immediate: true, initiatorTaskTag: 1 })
      header.writeUIntBE(8193, 5, 3)
      wire.sendRaw(header)
      await wire.closed
      t.same(wire.inbox.unread, [])
    },
  )

  await t.test('additional headers in a login end the connection before they are taken [7143 §11.2.2]', async t => {
    const start = performance.now()
    const wire = await connect()
    wire.sendRaw(scsiCommand.encode({ opcode: 0x03, immediate: true, initiatorTaskTag: 1, totalAhsLength: 255 }))
    await wire.closed
    t.same(wire.inbox.unread, [])
    t.ok(performance.now() - start < LOGIN_MS, 'at once, not when the time of the login is up')
  })

  await t.test('a login request with an additional header is no login [7143 §11.2.2, §11.12]', async t => {
    const wire = await connect()
    const ahs = Buffer.from('0005020000000200', 'hex')
    const header = loginRequest.encode({ ...transit(1, 3), isid: randomIsid(), initiatorTaskTag: 1, cmdSn: 1 })
    wire.send(Buffer.concat([header, ahs]), encodeKeys(ME))
    const answer = await wire.inbox.take({ what: 'answer', matches: () => true }).catch(() => undefined)
    await wire.end()
    const refused = answer === undefined || loginResponse.decode(answer.header).statusClass === 2
    t.ok(refused, 'refused, or closed without an answer')
  })

  await t.test('after all of them a decent initiator gets in', async t => {
    await withSession(server, {}, async initiator => {
      t.equal((await initiator.read(0, 1)).length, 512)
    })
  })
})
