// CHAP on the wire, as it should be: algorithms, directions, encodings, lists, and texts in pieces [7143 §12.1.3; 1994].

import {
  askChallenge,
  type BinaryForm,
  type ChapOptions,
  encodeBinary,
  encodeKeys,
  identityKeys,
  LoginRefused,
  proofKeys,
  readChallenge,
  respond,
  transit,
} from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { iqn, type Server, withServer } from '../harness/server.js'
import { BOTH, keepsSecrets, MODERN, ONE_WAY, OWN, TARGETS, talk, USER } from './chap-lab.js'
import { BLANK, content, withSession } from './lab.js'

const FORMS: readonly BinaryForm[] = ['0x', '0X', '0b', '0B']

t.test('CHAP', async t => {
  await withServer(t, { config: { targets: TARGETS } }, async server => {
    await matrix(t, server)
    await lists(t, server)
    await pieces(t, server)
    keepsSecrets(t, server)
  })
})

/** Status of a login with CHAP; 0 when it gets as far as a disk that can be read. */
async function outcome(server: Server, target: string, chap: ChapOptions): Promise<number> {
  try {
    await withSession(server, { target, chap }, async initiator => {
      await initiator.read(0, 1)
    })
    return 0
  } catch (error) {
    if (error instanceof LoginRefused) return error.status
    throw error
  }
}

async function matrix(t: Test, server: Server): Promise<void> {
  for (const algorithms of ['5', '6', '7', '8']) {
    for (const form of FORMS) {
      const chap = { ...USER, algorithms, form }
      await t.test(
        `algorithm ${algorithms}, ${form}: one way, mutual, and the wrong secret [7143 §12.1.3]`,
        async t => {
          t.equal(await outcome(server, ONE_WAY, chap), 0, 'one way')
          t.equal(await outcome(server, BOTH, { ...chap, mutual: OWN }), 0, 'mutual')
          t.equal(await outcome(server, ONE_WAY, { ...chap, secret: 'wrong horse batte' }), 0x0201, 'wrong secret')
          t.equal(
            await outcome(server, BOTH, { ...chap, secret: OWN.secret, mutual: OWN }),
            0x0201,
            "the target's secret",
          )
        },
      )
    }
  }
}

async function lists(t: Test, server: Server): Promise<void> {
  await t.test('of a list the first algorithm that the target takes [7143 §6.2.1, §12.1.3]', async t => {
    for (const [algorithms, chosen] of [
      ['8,7,6,5', 8],
      ['5,6,7,8', 5],
      ['7,5', 7],
      ['6,99', 6],
      ['4,0x7,5', 7],
    ] as const) {
      const who = identityKeys({ target: ONE_WAY })
      const answer = await talk(server, login => askChallenge(login, who, algorithms))
      t.equal(readChallenge(answer).algorithm, chosen, algorithms)
      t.equal(await outcome(server, ONE_WAY, { ...USER, algorithms }), 0)
    }
  })

  await t.test('a target may take some algorithms only: 0201 without one in common [7143 §12.1.3]', async t => {
    const target = iqn('modern')
    t.equal(await outcome(server, target, { ...MODERN, algorithms: '5' }), 0x0201)
    t.equal(await outcome(server, target, { ...MODERN, algorithms: '5,6' }), 0x0201)
    t.equal(await outcome(server, target, { ...MODERN, algorithms: '5,6,8,7' }), 0)
    const answer = await talk(server, login => askChallenge(login, identityKeys({ target }), '5,6,8,7'))
    t.equal(readChallenge(answer).algorithm, 8)
  })

  await t.test('AuthMethod: a target with CHAP takes no None, one without takes nothing else [7143 §12.1]', async t => {
    const method = (target: string, AuthMethod: string) =>
      talk(server, login => login.ask(transit(0, 1), { ...identityKeys({ target }), AuthMethod }))
    t.equal((await method(ONE_WAY, 'None')).status, 0x0201)
    t.match(await method(ONE_WAY, 'None,CHAP'), { status: 0, transit: false, keys: { AuthMethod: 'CHAP' } })
    t.match(await method(BLANK, 'CHAP,None'), { status: 0, transit: true, keys: { AuthMethod: 'None' } })
    t.match(await method(iqn('open'), 'CHAP,None'), { status: 0, transit: true, keys: { AuthMethod: 'None' } })
    t.equal((await method(BLANK, 'CHAP')).status, 0x0201)
    const skipped = await talk(server, login => login.ask(transit(1, 3), identityKeys({ target: ONE_WAY })))
    t.equal(skipped.status, 0x0201, 'nor can the stage be left out')
  })
}

async function pieces(t: Test, server: Server): Promise<void> {
  await t.test('a proof may come in several requests, cut anywhere [7143 §6.2, §11.12.2]', async t => {
    for (const size of [7, 16, 50]) {
      await talk(server, async login => {
        const given = readChallenge(await askChallenge(login, identityKeys({ target: BOTH })))
        const own = { CHAP_I: '1', CHAP_C: encodeBinary(Buffer.alloc(100, 3)) }
        const text = encodeKeys({ ...proofKeys(given, USER), ...own })
        let at = 0
        for (; at < Math.min(text.length - size, 25 * size); at += size) {
          const more = await login.ask({ csg: 0, continue: true }, text.subarray(at, at + size))
          t.match(more, { status: 0, transit: false, dataSegmentLength: 0 })
        }
        const last = await login.ask(transit(0, 1), text.subarray(at))
        t.match(last, { status: 0, transit: true, keys: { CHAP_N: OWN.user } })
        const question = { algorithm: 5, identifier: 1, challenge: Buffer.alloc(100, 3) }
        t.equal(last.keys.CHAP_R, encodeBinary(respond(question, OWN.secret)))
      })
    }
  })

  await t.test('the stage may be left later, or for full feature phase at once [7143 §6.3]', async t => {
    await talk(server, async login => {
      const given = readChallenge(await askChallenge(login, identityKeys({ target: ONE_WAY })))
      t.match(await login.ask({ csg: 0 }, proofKeys(given, USER)), { status: 0, transit: false })
      t.match(await login.ask(transit(0, 3)), { status: 0, transit: true, nsg: 3 })
    })
  })

  await t.test('challenges of 1 and of 1024 bytes are answered [7143 §12.1.3]', async t => {
    for (const bytes of [1, 1024]) {
      for (const form of FORMS) {
        await talk(server, async login => {
          const given = readChallenge(await askChallenge(login, identityKeys({ target: BOTH })))
          const challenge = content(bytes, 5)
          const own = { CHAP_I: '0xff', CHAP_C: encodeBinary(challenge, form) }
          const { status, keys } = await login.ask(transit(0, 1), { ...proofKeys(given, USER), ...own })
          t.equal(status, 0)
          t.equal(keys.CHAP_R, encodeBinary(respond({ algorithm: 5, identifier: 255, challenge }, OWN.secret)))
        })
      }
    }
  })
}
