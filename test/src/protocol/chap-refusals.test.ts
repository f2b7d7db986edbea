// CHAP on the wire, and everything that must not pass for it: wrong and malformed proofs, replays, reflections, and sessions of
// others [7143 §12.1.3, §9.2.1, §6.3.5; 1994].

import {
  askChallenge,
  authenticate,
  type ChapOptions,
  encodeBinary,
  Initiator,
  identityKeys,
  LoginRefused,
  LoginTalk,
  proofKeys,
  readChallenge,
  type TextKeys,
  transit,
  Wire,
} from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { type Server, withServer } from '../harness/server.js'
import { BOTH, keepsSecrets, ONE_WAY, TARGETS, talk, USER } from './chap-lab.js'
import { portal } from './lab.js'

type Wrong = (keys: TextKeys) => TextKeys

const RETURN = { CHAP_I: '9', CHAP_C: '0x000102030405060708090a0b0c0d0e0f' }
const wrongProofs: readonly [title: string, status: number, target: string, wrong: Wrong][] = [
  ['an unknown user', 0x0201, ONE_WAY, keys => ({ ...keys, CHAP_N: 'nobody' })],
  ['a user in another case', 0x0201, ONE_WAY, keys => ({ ...keys, CHAP_N: 'LAB-USER' })],
  ['an empty user', 0x0201, ONE_WAY, keys => ({ ...keys, CHAP_N: '' })],
  ['a user whose bytes are written in hexadecimal', 0x0201, ONE_WAY, keys => ({ ...keys, CHAP_N: hex(USER.user) })],
  ['a user of 256 bytes', 0x0200, ONE_WAY, keys => ({ ...keys, CHAP_N: 'n'.repeat(256) })],
  ['a response of zeros', 0x0201, ONE_WAY, keys => ({ ...keys, CHAP_R: `0x${'00'.repeat(16)}` })],
  ['a response without its last byte', 0x0201, ONE_WAY, keys => ({ ...keys, CHAP_R: `${keys.CHAP_R}`.slice(0, -2) })],
  ['a response with a byte more', 0x0201, ONE_WAY, keys => ({ ...keys, CHAP_R: `${keys.CHAP_R}00` })],
  ['a response of an odd number of digits', 0x0200, ONE_WAY, keys => ({ ...keys, CHAP_R: `${keys.CHAP_R}0` })],
  ['a response of 1025 bytes', 0x0200, ONE_WAY, keys => ({ ...keys, CHAP_R: `0x${'00'.repeat(1025)}` })],
  ['a response in bad base64', 0x0200, ONE_WAY, keys => ({ ...keys, CHAP_R: '0b????' })],
  ['no response', 0x0200, ONE_WAY, ({ CHAP_N = '' }) => ({ CHAP_N })],
  ['no user', 0x0200, ONE_WAY, ({ CHAP_R = '' }) => ({ CHAP_R })],
  ['an operational key beside the proof', 0x0200, ONE_WAY, keys => ({ ...keys, MaxBurstLength: '512' })],
  ['a mutual leg where none is configured', 0x0201, ONE_WAY, keys => ({ ...keys, ...RETURN })],
  ['no mutual leg where one is configured', 0x0201, BOTH, keys => keys],
  ['a challenge of 1025 bytes', 0x0200, BOTH, keys => ({ ...keys, CHAP_I: '1', CHAP_C: `0x${'11'.repeat(1025)}` })],
  ['an empty challenge', 0x0200, BOTH, keys => ({ ...keys, CHAP_I: '1', CHAP_C: '0x' })],
  ['an identifier of 256', 0x0200, BOTH, keys => ({ ...keys, ...RETURN, CHAP_I: '256' })],
  ['a challenge without identifier', 0x0200, BOTH, keys => ({ ...keys, CHAP_C: RETURN.CHAP_C })],
]

t.test('refusals of CHAP', async t => {
  await withServer(t, { config: { targets: TARGETS } }, async server => {
    await refusals(t, server)
    await reflections(t, server)
    await sessions(t, server)
    keepsSecrets(t, server)
  })
})

async function refusals(t: Test, server: Server): Promise<void> {
  for (const [title, status, target, wrong] of wrongProofs) {
    await t.test(`${title}: ${status.toString(16).padStart(4, '0')} [7143 §12.1.3]`, async t => {
      await talk(server, async login => {
        const given = readChallenge(await askChallenge(login, identityKeys({ target })))
        const answer = await login.ask(transit(0, 1), wrong(proofKeys(given, USER)))
        t.match(answer, { status, transit: false, dataSegmentLength: 0 })
        await login.wire.closed
        t.same(login.wire.inbox.unread, [], 'one answer, then the end')
      })
    })
  }

  await t.test('the refusal of an unknown user is that of a wrong secret, bit by bit [7143 §9.2.1]', async t => {
    const refusal = (wrong: Wrong) =>
      talk(server, async login => {
        const given = readChallenge(await askChallenge(login, identityKeys({ target: ONE_WAY })))
        const { status, data, statSn, expCmdSn, maxCmdSn } = await login.ask({ csg: 0 }, wrong(proofKeys(given, USER)))
        return { status, data, statSn, expCmdSn, maxCmdSn }
      })
    const unknown = await refusal(keys => ({ ...keys, CHAP_N: 'nobody' }))
    t.same(unknown, await refusal(keys => ({ ...keys, CHAP_R: `0x${'00'.repeat(16)}` })))
    t.equal(unknown.status, 0x0201)
  })

  await t.test('a challenge is used once: a response that was heard is worth nothing [1994 §2.3]', async t => {
    const seen = new Set<string>()
    let heard: TextKeys = {}
    await talk(server, async login => {
      const given = readChallenge(await askChallenge(login, identityKeys({ target: ONE_WAY })))
      heard = proofKeys(given, USER)
      t.equal((await login.ask(transit(0, 1), heard)).status, 0)
    })
    for (let count = 0; count < 20; count++) {
      await talk(server, async login => {
        const answer = await askChallenge(login, identityKeys({ target: ONE_WAY }))
        seen.add(answer.keys.CHAP_C ?? '')
        t.ok(readChallenge(answer).challenge.length >= 16)
        t.equal((await login.ask(transit(0, 1), heard)).status, 0x0201)
      })
    }
    t.equal(seen.size, 20, 'no challenge comes twice')
  })
}

async function reflections(t: Test, server: Server): Promise<void> {
  const reflect = (login: LoginTalk, keys: TextKeys, challenge: Buffer, identifier: number) =>
    login.ask(transit(0, 1), { ...keys, CHAP_I: String(identifier), CHAP_C: encodeBinary(challenge, '0b') })

  await t.test('a challenge of the target is never answered by it, on the same connection [7143 §9.2.1]', async t => {
    await talk(server, async login => {
      const given = readChallenge(await askChallenge(login, identityKeys({ target: BOTH })))
      const answer = await reflect(login, proofKeys(given, USER), given.challenge, given.identifier)
      t.match(answer, { status: 0x0201, dataSegmentLength: 0 })
      await login.wire.closed
    })
  })

  await t.test('nor on another one, whichever worker has it [7143 §9.2.1]', async t => {
    for (let count = 0; count < 4; count++) {
      await talk(server, async victim => {
        const theirs = readChallenge(await askChallenge(victim, identityKeys({ target: BOTH })))
        await talk(server, async login => {
          const given = readChallenge(await askChallenge(login, identityKeys({ target: BOTH })))
          const answer = await reflect(login, proofKeys(given, USER), theirs.challenge, theirs.identifier)
          t.match(answer, { status: 0x0201, dataSegmentLength: 0 })
        })
        const own = { CHAP_I: '1', CHAP_C: '0x01' }
        const honest = await victim.ask(transit(0, 1), { ...proofKeys(theirs, USER), ...own })
        t.equal(honest.status, 0, 'and who was asked first gets in')
      })
    }
  })
}

async function sessions(t: Test, server: Server): Promise<void> {
  await t.test('nobody ends or joins a session without its secret [7143 §6.3.5]', async t => {
    const isid = Buffer.from('00023d000077', 'hex')
    const chap = USER
    const live = await Initiator.login(portal(server), { target: ONE_WAY, isid, chap })
    for (const tsih of [0, live.tsih]) {
      const fields = { isid, tsih }
      const attempt = async (use: (login: LoginTalk) => Promise<{ status: number }>) => {
        const wire = await Wire.connect(portal(server))
        const { status } = await use(new LoginTalk(wire, fields))
        await wire.end()
        return status
      }
      const who = identityKeys({ target: ONE_WAY })
      t.equal(await attempt(login => login.ask(transit(1, 3), who)), 0x0201)
      t.equal(await attempt(login => authenticate(login, who, { ...USER, secret: 'wrong horse batte' })), 0x0201)
      t.equal((await live.read(0, 1)).length, 512, 'the session lives')
    }
    const next = await Initiator.login(portal(server), { target: ONE_WAY, isid, chap })
    await live.wire.closed
    t.equal((await next.ping(Buffer.from('here'))).data.toString(), 'here', 'the right secret takes its place')
    await next.close()
  })

  await t.test('another connection of a session needs the proof too [7143 §6.3.1, §12]', async t => {
    const keys = { MaxConnections: '4' }
    const isid = Buffer.from('00023d000078', 'hex')
    const live = await Initiator.login(portal(server), { target: ONE_WAY, isid, chap: USER, cid: 1, keys })
    const { tsih, agreed: session } = live
    const joinWithout = (cid: number) => Initiator.login(portal(server), { target: ONE_WAY, isid, tsih, cid, session })
    const join = (cid: number, chap: ChapOptions) => live.addConnection(portal(server), { cid, chap })
    for (const cid of [1, 2]) {
      t.equal(await statusOf(joinWithout(cid)), 0x0201, `CID ${cid}, without`)
      t.equal(await statusOf(join(cid, { ...USER, secret: 'wrong horse batte' })), 0x0201, `CID ${cid}, wrong`)
    }
    t.equal((await live.read(0, 1)).length, 512, 'the first one has not noticed')
    const second = await join(2, USER)
    t.equal((await second.read(0, 1)).length, 512)
    await Promise.all([live.close(), second.close()])
  })
}

/** Status of a login, 0 when it succeeds. */
function statusOf(login: Promise<unknown>): Promise<number> {
  return login.then(
    () => 0,
    (error: unknown) => {
      if (error instanceof LoginRefused) return error.status
      throw error
    },
  )
}

function hex(text: string): string {
  return `0x${Buffer.from(text).toString('hex')}`
}
