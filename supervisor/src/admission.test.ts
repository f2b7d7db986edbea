/** Caps, and whom they count. */
import t from 'tap'
import { Admission } from './admission.js'
import { formatPeer, isLoopback, partyOf } from './peer.js'

const caps = { blankBytes: 512, quotaBytes: 512, maxSessions: 3, maxSessionsPerAddress: 2, capLoopback: false }

t.test('a party is an IPv4 address or an IPv6 /64', t => {
  t.equal(partyOf('192.0.2.7'), '192.0.2.7')
  t.equal(partyOf('::ffff:192.0.2.7'), '192.0.2.7')
  t.equal(partyOf('2001:db8:0:7::1'), partyOf('2001:0db8:0000:0007:ffff:ffff:ffff:ffff'))
  t.not(partyOf('2001:db8:0:7::1'), partyOf('2001:db8:0:8::1'))
  t.equal(partyOf('fe80::1%eth0'), 'fe80:0:0:0::/64')
  t.equal(partyOf('::1'), '0:0:0:0::/64')
  t.end()
})

t.test('addresses are written as TargetAddress wants them [7143 §13.8]', t => {
  t.equal(formatPeer('::ffff:192.0.2.7', 3260), '192.0.2.7:3260')
  t.equal(formatPeer('2001:db8::1', 3260), '[2001:db8::1]:3260')
  t.equal(formatPeer('fe80::1%eth0', 1), '[fe80::1]:1')
  t.same(['127.9.9.9', '::1', '::ffff:127.0.0.1', '192.0.2.1'].map(isLoopback), [true, true, true, false])
  t.end()
})

t.test('sessions: two of one party, three in all, and what leaves makes room', t => {
  const admission = new Admission(caps)
  for (const address of ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2', '192.0.2.2'])
    t.ok(admission.connect(address))
  t.equal(admission.admit('192.0.2.1'), undefined)
  t.equal(admission.admit('192.0.2.1'), undefined)
  t.match(admission.admit('192.0.2.1'), { class: 3, detail: 1, why: /one address/ })
  t.equal(admission.admit('192.0.2.2'), undefined)
  t.match(admission.admit('192.0.2.2'), { class: 3, detail: 1, why: 'too many sessions' })
  admission.leave('192.0.2.1')
  t.equal(admission.admit('192.0.2.2'), undefined)
  t.end()
})

t.test('loopback is capped only when it is asked for', t => {
  const open = (capLoopback: boolean) => {
    const admission = new Admission({ ...caps, maxSessions: 0, capLoopback }, 100_000)
    let connected = 0
    while (connected < 1000 && admission.connect('127.0.0.1')) connected++
    return connected
  }
  t.equal(open(false), 1000)
  t.equal(open(true), 34)
  t.end()
})

t.test('connections stay below what the limit on open files can carry', t => {
  const admission = new Admission({ ...caps, maxSessions: 0, maxSessionsPerAddress: 0 }, 1024)
  t.equal(admission.maxConnections, 256)
  for (let at = 0; at < 256; at++) t.ok(admission.connect(`192.0.2.${at}`))
  t.notOk(admission.connect('198.51.100.1'))
  t.equal(admission.connections, 256)
  admission.disconnect('192.0.2.9')
  t.ok(admission.connect('198.51.100.1'))
  t.equal(new Admission({ ...caps, maxSessions: 10 }, 100_000).maxConnections, 42)
  t.end()
})
