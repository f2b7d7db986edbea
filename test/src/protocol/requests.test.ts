// NOP, Text, Reject and Logout in full feature phase [7143 §11.10, §11.14, §11.17, §11.18].

import {
  BHS_SIZE,
  header,
  LogoutReason,
  LogoutStatus,
  loginRequest,
  logoutRequest,
  nopOut,
  Opcode,
  RESERVED_TAG,
  RejectReason,
  r2t,
  snackRequest,
  textRequest,
  textResponse,
} from '@scsipub/iscsi'
import { cdb, decodePairs, encodeKeys, Initiator, LoginRefused } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLANK, BLOCK, content, portal, withDiscovery, withSession } from './lab.js'

/** Many targets with long names make a long answer to SendTargets. */
const targets = Array.from({ length: 30 }, (_, index) => ({
  name: `disk-${index}-${'x'.repeat(40)}`,
  auth: 'none',
  luns: [{ sizeBytes: 1 << 20 }],
}))

await withServer(t, { config: { targets } }, async server => {
  // --- NOP

  await t.test('a ping is answered with its own data [7143 §11.18.3, §11.19]', async t => {
    await withSession(server, {}, async initiator => {
      for (const length of [0, 1, 3, 4, 1000, 8192]) {
        const data = content(length, length)
        for (const immediate of [true, false]) {
          const echo = await initiator.ping(data, immediate)
          t.same(echo.data, data)
          t.equal(echo.targetTransferTag, RESERVED_TAG)
        }
      }
    })
  })

  await t.test('an echo is cut to what the initiator takes, not to what the target takes [7143 §11.19.4]', async t => {
    await withSession(server, { keys: { MaxRecvDataSegmentLength: '512' } }, async initiator => {
      const data = content(2000, 1)
      t.same((await initiator.ping(data)).data, data.subarray(0, 512))
    })
  })

  await t.test('a NOP-Out without task tag is not answered [7143 §11.18.1]', async t => {
    await withSession(server, {}, async initiator => {
      initiator.request(nopOut, { immediate: true, initiatorTaskTag: RESERVED_TAG, targetTransferTag: RESERVED_TAG })
      await initiator.ping()
      t.same(initiator.wire.inbox.unread, [])
    })
  })

  // --- Text

  await t.test('discovery shows all targets with their address and portal group [7143 Appendix C]', async t => {
    await withDiscovery(server, async initiator => {
      const answer = await initiator.text({ SendTargets: 'All' })
      const names = answer.values('TargetName')
      t.ok(names.includes(BLANK))
      t.equal(names.length, 32)
      for (const address of answer.values('TargetAddress')) t.equal(address, `127.0.0.1:${server.port},1`)
      const [name, address] = answer.pairs
      t.same([name?.[0], address?.[0]], ['TargetName', 'TargetAddress'], 'an address follows its name')
    })
  })

  await t.test(
    'discovery shows one target that is asked for, and nothing for one that is not there [7143 Appendix C]',
    async t => {
      await withDiscovery(server, async initiator => {
        t.same((await initiator.text({ SendTargets: BLANK })).values('TargetName'), [BLANK])
        t.same((await initiator.text({ SendTargets: iqn('no-such') })).pairs, [])
      })
    },
  )

  await t.test('an answer that is longer than what the initiator takes comes in pieces [7143 §11.11.4]', async t => {
    const initiator = await Initiator.login(portal(server), { keys: { MaxRecvDataSegmentLength: '512' } })
    const { responses, pairs } = await initiator.text({ SendTargets: 'All' })
    t.ok(responses.length > 4, `${responses.length} pieces`)
    t.equal(pairs.filter(([key]) => key === 'TargetName').length, 32, 'nothing is lost at the borders')
    for (const response of responses) t.ok(response.dataSegmentLength <= 512)
    for (const response of responses.slice(0, -1)) {
      t.match(response, { final: false, continue: true })
      t.not(response.targetTransferTag, RESERVED_TAG)
    }
    t.match(responses.at(-1), { final: true, continue: false, targetTransferTag: RESERVED_TAG })
    await initiator.close()
  })

  await t.test('a normal session is told of its own target, and of no other [7143 Appendix C]', async t => {
    await withSession(server, {}, async initiator => {
      t.same((await initiator.text({ SendTargets: '' })).values('TargetName'), [BLANK])
      t.same((await initiator.text({ SendTargets: BLANK })).values('TargetName'), [BLANK])
      t.same((await initiator.text({ SendTargets: 'All' })).pairs, [['SendTargets', 'Reject']])
      t.same((await initiator.text({ SendTargets: iqn('multi') })).pairs, [['SendTargets', 'Reject']])
    })
  })

  await t.test('a key that nobody knows is NotUnderstood, one of the login is Reject [7143 §6.2]', async t => {
    await withSession(server, {}, async initiator => {
      const answer = await initiator.text({ 'X-example.test': '1', MaxBurstLength: '4096' })
      t.same(answer.pairs, [
        ['X-example.test', 'NotUnderstood'],
        ['MaxBurstLength', 'Reject'],
      ])
    })
  })

  await t.test('the initiator may declare anew how much it takes [7143 §13.12]', async t => {
    await withSession(server, {}, async initiator => {
      t.same((await initiator.text({ MaxRecvDataSegmentLength: '1024' })).pairs, [])
      const { dataIns } = await initiator.executeRead(cdb.read10(0, 8), 8 * BLOCK)
      t.same(
        dataIns.map(({ dataSegmentLength }) => dataSegmentLength),
        [1024, 1024, 1024, 1024],
      )
    })
  })

  await t.test('a text request in pieces is one text [7143 §11.10.2]', async t => {
    await withDiscovery(server, async initiator => {
      const text = encodeKeys({ SendTargets: BLANK })
      const tag = initiator.request(
        textRequest,
        { continue: true, targetTransferTag: RESERVED_TAG },
        text.subarray(0, 9),
      )
      const first = await initiator.take(textResponse, tag)
      t.match(first, { final: false, continue: false, dataSegmentLength: 0 })
      t.not(first.targetTransferTag, RESERVED_TAG)
      const { targetTransferTag } = first
      initiator.request(textRequest, { final: true, initiatorTaskTag: tag, targetTransferTag }, text.subarray(9))
      const pdu = await initiator.takePdu(textResponse, tag)
      t.same(decodePairs(pdu.data)[0], ['TargetName', BLANK])
    })
  })

  await t.test('a transfer tag that was not given out is rejected [7143 §11.10.4]', async t => {
    await withDiscovery(server, async initiator => {
      initiator.request(textRequest, { final: true, targetTransferTag: 0x1234 })
      t.equal((await initiator.takeReject()).reason, RejectReason.protocolError)
    })
  })

  await t.test('an immediate text request takes no CmdSN [7143 §4.2.2.1]', async t => {
    await withDiscovery(server, async initiator => {
      const { cmdSn } = initiator
      const fields = { immediate: true, final: true, targetTransferTag: RESERVED_TAG }
      const tag = initiator.request(textRequest, fields, encodeKeys({ SendTargets: 'All' }))
      t.equal((await initiator.take(textResponse, tag)).expCmdSn, cmdSn)
    })
  })

  // --- Reject

  for (const [what, pdu, reason] of [
    [
      'an opcode that is not there',
      header.encode({ opcode: 0x1c, initiatorTaskTag: 5 }),
      RejectReason.commandNotSupported,
    ],
    ['an opcode that only targets send', r2t.encode({ initiatorTaskTag: 5 }), RejectReason.commandNotSupported],
    ['a SNACK', snackRequest.encode({ initiatorTaskTag: 5 }), RejectReason.snackReject],
    ['a login request', loginRequest.encode({ initiatorTaskTag: 5 }), RejectReason.protocolError],
  ] as const) {
    await t.test(`${what} is rejected, with its header, and the session goes on [7143 §11.17]`, async t => {
      await withSession(server, {}, async initiator => {
        initiator.wire.send(pdu)
        const answer = await initiator.takeReject()
        t.equal(answer.reason, reason)
        t.same(answer.rejected.subarray(0, BHS_SIZE), pdu)
        t.equal((await initiator.read(0, 1)).length, BLOCK)
      })
    })
  }

  await t.test('a SCSI command in a discovery session is rejected [7143 §4.3]', async t => {
    await withDiscovery(server, async initiator => {
      initiator.sendCommand({ cdb: cdb.testUnitReady() })
      t.equal((await initiator.takeReject()).reason, RejectReason.commandNotSupported)
      t.ok((await initiator.text({ SendTargets: 'All' })).pairs.length > 0)
    })
  })

  const illegal: readonly [title: string, command: Parameters<Initiator['sendCommand']>[0]][] = [
    ['F=0 without W [7143 §11.3.1]', { cdb: cdb.testUnitReady(), final: false }],
    ['data without W [7143 §11.3.6]', { cdb: cdb.testUnitReady(), data: Buffer.alloc(BLOCK) }],
    [
      'more immediate data than it expects to transfer [7143 §11.3.4]',
      { cdb: cdb.write10(0, 1), write: true, expectedDataTransferLength: BLOCK, data: Buffer.alloc(2 * BLOCK) },
    ],
    ['the reserved task tag [7143 §11.2.1.8]', { cdb: cdb.testUnitReady(), initiatorTaskTag: RESERVED_TAG }],
  ]
  for (const [title, command] of illegal) {
    await t.test(`a command with ${title} is rejected`, async t => {
      await withSession(server, {}, async initiator => {
        initiator.sendCommand(command)
        const { reason, rejected } = await initiator.takeReject()
        t.ok(reason === RejectReason.protocolError || reason === RejectReason.invalidPduField, `reason ${reason}`)
        t.equal(header.decode(rejected).opcode, Opcode.scsiCommand)
        t.equal((await initiator.read(0, 1)).length, BLOCK, 'and the session goes on')
      })
    })
  }

  // --- Logout

  await t.test('a logout of the session is answered and the connection closed [7143 §11.14, §11.15]', async t => {
    for (const [reason, cid] of [
      [LogoutReason.closeSession, 0],
      [LogoutReason.closeConnection, 7],
    ] as const) {
      const initiator = await Initiator.login(portal(server), { target: BLANK, cid: 7 })
      const answer = await initiator.logout(reason, cid)
      t.match(answer, { response: LogoutStatus.closed, dataSegmentLength: 0 })
      await initiator.wire.closed
      t.same(initiator.wire.inbox.unread, [])
    }
  })

  await t.test(
    'a logout of a connection that is not there, or for recovery, changes nothing [7143 §11.15.1]',
    async t => {
      await withSession(server, { cid: 7 }, async initiator => {
        const { closeConnection, removeForRecovery } = LogoutReason
        t.equal((await initiator.logout(closeConnection, 8)).response, LogoutStatus.cidNotFound)
        t.equal((await initiator.logout(removeForRecovery, 7)).response, LogoutStatus.recoveryNotSupported)
        t.equal((await initiator.read(0, 1)).length, BLOCK)
      })
    },
  )

  await t.test('a reserved logout reason is rejected [7143 §11.14.1]', async t => {
    await withSession(server, {}, async initiator => {
      initiator.request(logoutRequest, { immediate: true, reasonCode: 9 })
      t.equal((await initiator.takeReject()).reason, RejectReason.protocolError)
    })
  })

  await t.test('a logout that is not immediate waits for its turn [7143 §11.14]', async t => {
    await withSession(server, {}, async initiator => {
      const first = initiator.cmdSn
      const tag = initiator.request(logoutRequest, { cmdSn: first + 1, reasonCode: LogoutReason.closeSession })
      const command = initiator.sendCommand({ cdb: cdb.testUnitReady(), cmdSn: first })
      t.equal((await initiator.collect(command)).status, 0)
      await initiator.wire.inbox.take({ what: 'logout response', matches: pdu => pdu.initiatorTaskTag === tag })
      await initiator.wire.closed
    })
  })

  await t.test('tasks have ended when the logout is answered: their data changes nothing [7143 §11.14]', async t => {
    const target = iqn(targets[0]?.name ?? '')
    const initiator = await Initiator.login(portal(server), {
      target,
      keys: { InitialR2T: 'Yes', ImmediateData: 'No' },
    })
    const tag = initiator.beginWrite(cdb.write10(0, 1), content(BLOCK, 1))
    const pdu = await initiator.takePdu(r2t, tag)
    const { targetTransferTag } = r2t.decode(pdu.header)
    await initiator.logout()
    const data = { initiatorTaskTag: tag, targetTransferTag, bufferOffset: 0, dataSn: 0, final: true }
    initiator.dataOut(data, content(BLOCK, 1))
    await initiator.wire.closed
    t.same(initiator.wire.inbox.unread, [], 'nothing follows the answer to the logout')
    const next = await Initiator.login(portal(server), { target })
    t.same(await next.read(0, 1), Buffer.alloc(BLOCK))
    await next.close()
  })

  await t.test('a session that has ended is gone: its TSIH means nothing [7143 §6.3.1]', async t => {
    const initiator = await Initiator.login(portal(server), { target: BLANK })
    await initiator.logout()
    await initiator.wire.closed
    await t.rejects(Initiator.login(portal(server), { target: BLANK, tsih: initiator.tsih }), LoginRefused)
  })
})
