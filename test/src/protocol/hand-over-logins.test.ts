// A login that is under way when its connection goes from worker to worker: at every PDU of it, with CHAP both ways, in the middle of a text; and text exchanges of the full feature phase.

import { LoginStage, textRequest, textResponse } from '@scsipub/iscsi'
import { encodeLun } from '@scsipub/scsi'
import {
  askChallenge,
  decodePairs,
  encodeKeys,
  Initiator,
  identityKeys,
  LoginTalk,
  proofKeys,
  readChallenge,
  respond,
  Wire,
} from '@scsipub/testkit'
import t from 'tap'
import { CHAP, LAB, MUTUAL, ONE_WAY, SECRET, withMovingServer } from './hand-over-lab.js'
import { content, portal, withSession } from './lab.js'

const RESERVED = 0xffffffff
const NO_LUN = encodeLun(0)

await withMovingServer(t, async server => {
  /** A wire on which nothing is sent by this test without a move of the connection right before and after it. */
  const restlessWire = async () => {
    const wire = await Wire.connect(portal(server))
    await server.moveAll()
    return wire
  }

  await t.test('at each request of a login with CHAP, one way and mutual [7143 §12.1.3]', async t => {
    for (const mutual of [false, true]) {
      const wire = await restlessWire()
      const talk = new LoginTalk(wire)
      const { identifier, challenge, ...rest } = readChallenge(
        await askChallenge(talk, identityKeys({ target: mutual ? SECRET : ONE_WAY })),
      )
      await server.moveAll()
      const own = { identifier: 77, challenge: content(20, 3), algorithm: 5 }
      const proof = proofKeys({ identifier, challenge, ...rest }, CHAP)
      const asked = mutual ? { CHAP_I: '77', CHAP_C: `0x${own.challenge.toString('hex')}` } : {}
      const answer = await talk.ask({ transit: true, csg: 0, nsg: 1 }, { ...proof, ...asked })
      t.equal(answer.status, 0)
      if (mutual) {
        t.equal(answer.keys.CHAP_N, MUTUAL.user)
        t.equal(answer.keys.CHAP_R, `0x${respond(own, MUTUAL.secret).toString('hex')}`)
      }
      await server.moveAll()
      const half = await talk.ask({ csg: 1 }, { MaxBurstLength: '8192' })
      t.equal(half.status, 0)
      await server.moveAll()
      const last = await talk.ask({ transit: true, csg: 1, nsg: 3 }, { MaxOutstandingR2T: '2', ImmediateData: 'No' })
      t.equal(last.status, 0)
      t.equal(last.nsg, LoginStage.fullFeature)
      await server.moveAll()
      await wire.end()
    }
  })

  await t.test('a wrong secret is refused after a move like before one [7143 §12.1.3]', async t => {
    const wire = await restlessWire()
    const talk = new LoginTalk(wire)
    const challenge = readChallenge(await askChallenge(talk, identityKeys({ target: SECRET })))
    await server.moveAll()
    const wrong = proofKeys(challenge, { ...CHAP, secret: 'not the secret of anybody' })
    t.equal((await talk.ask({ transit: true, csg: 0, nsg: 1 }, wrong)).status, 0x0201)
    await wire.end()
  })

  await t.test('between the pieces of a login text, and what is said twice is refused [7143 §6.2]', async t => {
    const wire = await restlessWire()
    const talk = new LoginTalk(wire)
    const text = encodeKeys({ ...identityKeys({ target: LAB }), AuthMethod: 'None' })
    for (let at = 0; at < text.length - 30; at += 30) {
      const answer = await talk.ask({ csg: 0, continue: true }, text.subarray(at, at + 30))
      t.match(answer, { status: 0, transit: false })
      await server.moveAll()
    }
    const at = Math.floor((text.length - 1) / 30) * 30
    const answer = await talk.ask({ transit: true, csg: 0, nsg: 1 }, text.subarray(at))
    t.match(answer, { status: 0, transit: true })
    t.equal(answer.keys.TargetPortalGroupTag, '1')
    await server.moveAll()
    const changed = await talk.ask({ transit: true, csg: 1, nsg: 3, cmdSn: 5 }, {})
    t.equal(changed.status, 0x020b, 'CmdSN is not that of the first request')
    await wire.end()
  })

  await t.test('logins and logouts by the dozen while everything goes to and fro', async t => {
    let count = 0
    const moved = await server.restless(async moved => {
      const lanes = Array.from({ length: 4 }, async (_, lane) => {
        for (let turn = 0; turn < 16 || moved() === 0; turn++) {
          const chap = { ...CHAP, mutual: MUTUAL }
          // Without a security stage one request asks the supervisor for everything, one question after the other.
          const options = lane % 2 === 0 ? { target: SECRET, chap } : { target: LAB, skipSecurity: true }
          await withSession(server, options, async initiator => {
            await initiator.write(lane, content(512, turn))
            t.ok((await initiator.read(lane, 1)).equals(content(512, turn)))
            await initiator.logout()
          })
          count++
        }
      })
      await Promise.all(lanes)
    })
    t.ok(count >= 64, `${count} logins`)
    t.ok(moved > 0, `${moved} moves`)
  })

  await t.test('between the pieces of a text request, and of the answer to one [7143 §11.10, §11.11]', async t => {
    const wire = await Wire.connect(portal(server))
    const initiator = await Initiator.loginOn(wire, { keys: { MaxRecvDataSegmentLength: '512' } })
    const request = encodeKeys({ SendTargets: 'All' })
    const answer: Buffer[] = []
    let tag: number | undefined
    let targetTransferTag = RESERVED
    for (let at = 0, final = false; !final; at += 4) {
      const more = at + 4 < request.length
      const fields = { final: !more, continue: more, targetTransferTag, lun: NO_LUN }
      const same = tag === undefined ? {} : { initiatorTaskTag: tag }
      tag = initiator.request(textRequest, { ...fields, ...same }, request.subarray(at, at + 4))
      await server.moveAll()
      const pdu = await initiator.takePdu(textResponse, tag)
      const response = textResponse.decode(pdu.header)
      answer.push(pdu.data)
      targetTransferTag = response.targetTransferTag
      final = response.final
    }
    const names = decodePairs(Buffer.concat(answer)).flatMap(([key, value]) => (key === 'TargetName' ? [value] : []))
    t.ok(answer.filter(({ length }) => length > 0).length > 1, 'the answer is longer than a PDU')
    t.ok(names.includes(LAB), `${names}`)
    t.equal(names.length, new Set(names).size)
    t.equal(names.length, 13, 'but for the one that wants CHAP')
    await initiator.close()
  })
})
