// The target's own ping: what keeps a quiet session alive, and finds out who has gone.

import { nopIn, RESERVED_TAG } from '@scsipub/iscsi'
import t from 'tap'
import { withServer } from '../harness/server.js'
import { withSession } from './lab.js'

/** The target pings after 30 s of silence, and looks every 5 s; it and the machine may have other things to do. */
const PING_WITHIN_MS = 90_000

await withServer(t, {}, async server => {
  await t.test(
    'a silent initiator is pinged: no data, a transfer tag, a StatSN that is not used up [7143 §11.19]',
    async t => {
      await withSession(server, {}, async initiator => {
        const { statSn } = await initiator.ping()
        const ping = await initiator.take(nopIn, RESERVED_TAG, PING_WITHIN_MS)
        t.not(ping.targetTransferTag, RESERVED_TAG, 'it has to be answered')
        t.equal(ping.dataSegmentLength, 0)
        t.equal(ping.statSn, (statSn + 1) >>> 0)
        const after = await initiator.ping()
        t.equal(after.statSn, ping.statSn, 'the next response has the StatSN that the ping announced')
      })
    },
  )
})
