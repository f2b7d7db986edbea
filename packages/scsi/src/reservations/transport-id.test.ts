// TransportIDs of iSCSI ports [SPC-4 §7.6.4.6].

import fc from 'fast-check'
import t from 'tap'
import { decodeTransportId, encodeTransportId, initiatorPortName } from './transport-id.js'

const port = initiatorPortName('iqn.1994-05.com.example:ab', Buffer.from('80123456789a', 'hex'))
/** Made by hand from the drawing of the standard. */
const hex = Buffer.concat([
  Buffer.from('4500002c', 'hex'),
  Buffer.from('iqn.1994-05.com.example:ab,i,0x80123456789a\0', 'latin1'),
])

t.test('the port name is as iSCSI spells it [7143 §3.4.1]', async t => {
  t.equal(port, 'iqn.1994-05.com.example:ab,i,0x80123456789a')
})

t.test('bytes to port and back [SPC-4 §7.6.4.6]', async t => {
  t.same(encodeTransportId(port), hex)
  t.same(decodeTransportId(hex, 0), { sizeBytes: hex.length, port })
  const upper = Buffer.from(
    hex.toString('latin1').replace('iqn.1994-05.com.example:ab', 'IQN.1994-05.com.EXAMPLE:ab'),
    'latin1',
  )
  t.same(decodeTransportId(upper, 0), { sizeBytes: hex.length, port }, 'in whichever case')
})

t.test('any port: the length is a multiple of four and 20 or more, and what is read is what was written', async () => {
  const names = fc.stringMatching(/^iqn\.2025-01\.[a-z]{1,40}(:[a-z0-9.-]{0,150})?$/)
  fc.assert(
    fc.property(names, fc.uint8Array({ minLength: 6, maxLength: 6 }), fc.nat(9), (name, isid, before) => {
      const text = initiatorPortName(name, Buffer.from(isid))
      const id = encodeTransportId(text)
      const read = decodeTransportId(Buffer.concat([Buffer.alloc(before), id, Buffer.alloc(3)]), before)
      return (
        id.length % 4 === 0 && id.length >= 24 && read?.sizeBytes === id.length && 'port' in read && read.port === text
      )
    }),
  )
})

t.test('a node is told from a port by the format code', async t => {
  const node = Buffer.alloc(24)
  Buffer.from('05000014', 'hex').copy(node)
  node.write('iqn.2025-01.x:y', 4)
  t.same(decodeTransportId(node, 0), { sizeBytes: 24, node: 'iqn.2025-01.x:y' })
})

t.test('what is no TransportID of iSCSI is refused', async t => {
  const with_ = (at: number, value: number): Buffer => {
    const copy = Buffer.from(hex)
    copy[at] = value
    return copy
  }
  t.equal(decodeTransportId(with_(0, 0x46), 0), undefined, 'another protocol')
  t.equal(decodeTransportId(with_(0, 0x85), 0), undefined, 'an unknown format')
  t.equal(decodeTransportId(with_(3, 0x2b), 0), undefined, 'a length that is no multiple of four')
  t.equal(decodeTransportId(with_(3, 0x10), 0), undefined, 'a length below 20')
  t.equal(decodeTransportId(with_(0, 0x05), 0), undefined, 'a port in the format of a node')
  t.equal(decodeTransportId(with_(hex.length - 1, 0x41), 0), undefined, 'no NUL')
  t.equal(decodeTransportId(with_(hex.length - 2, 0x67), 0), undefined, 'an ISID that is no number')
  t.equal(decodeTransportId(with_(4, 0), 0), undefined, 'no name')
  for (let length = 0; length < hex.length; length++)
    t.equal(decodeTransportId(hex.subarray(0, length), 0), undefined, `cut to ${length}`)
})
