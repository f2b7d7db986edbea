import t from 'tap'
import { type Carrier, CommandOrder } from './command-order.js'
import { COMMAND_WINDOW, CommandWindow } from './numbering.js'

/** A request of 48 bytes with CmdSN (its last byte) in front, or a Data-Out PDU, of a task. */
function pdu(front: number, tag: number, bytes = 0): Buffer {
  const buffer = Buffer.alloc(48 + bytes)
  buffer[0] = front & 0xff
  buffer.writeUInt32BE(tag, 16)
  return buffer
}

/** A connection that notes the first byte of what it carries out, and which data it takes. */
function carrier(name: string, done: string[]): Carrier {
  return {
    carryOut: (buffer, head) => done.push(`${name}${buffer[head]}`),
    dataOut: (buffer, head, _dataAt, length) => done.push(`${name} data ${buffer[head]} (${length})`),
  }
}

function start(expCmdSn = 1) {
  const done: string[] = []
  const window = new CommandWindow(expCmdSn)
  const order = new CommandOrder(window)
  const take = (by: Carrier, cmdSn: number) => order.take(by, cmdSn, pdu(cmdSn, cmdSn), 0, 48, 0)
  return { done, window, order, take, a: carrier('a', done), b: carrier('b', done) }
}

/** The header of a task management request, of which only the length is looked at. */
const PDU = Buffer.alloc(48)

t.test('commands of two connections are carried out by CmdSN, each by its own connection [7143 §4.2.2.1]', async t => {
  const { done, window, take, a, b } = start()
  take(a, 3)
  take(b, 2)
  take(b, 4)
  t.same(done, [])
  take(a, 1)
  t.same(done, ['a1', 'b2', 'a3', 'b4'])
  t.equal(window.expCmdSn, 5)
})

t.test('a copy is held, since the buffer is used again', async t => {
  const { done, order, take, a } = start()
  const buffer = pdu(2, 2)
  order.take(a, 2, buffer, 0, 48, 0)
  buffer[0] = 99
  take(a, 1)
  t.same(done, ['a1', 'a2'])
})

t.test(
  'what is held of a lost connection is forgotten, and may be sent again by another one [7143 §7.2.1]',
  async t => {
    const { done, window, order, take, a, b } = start()
    take(a, 2)
    take(b, 3)
    order.forget(a)
    take(b, 1)
    t.same(done, ['b1'])
    t.equal(window.expCmdSn, 2, 'it was never acknowledged')
    take(b, 2)
    t.same(done, ['b1', 'b2', 'b3'])
  },
)

t.test('who waits for the commands before a number goes on between them and that number [7143 §4.2.3.3]', async t => {
  const { done, order, take, a, b } = start()
  t.ok(order.after(3, a, PDU, () => done.push('go')))
  take(b, 3)
  take(b, 2)
  t.same(done, [])
  take(a, 1)
  t.same(done, ['a1', 'b2', 'go', 'b3'])
  t.ok(order.after(4, a, PDU, () => done.push('at once')))
  t.same(done.at(-1), 'at once')
})

t.test('who waits does so no longer when its connection is lost, or when nothing can come any more', async t => {
  const { done, order, take, a, b } = start()
  order.after(3, a, PDU, () => done.push('a'))
  order.after(3, b, PDU, () => done.push('b'))
  order.forget(a)
  order.waitNoLonger()
  t.same(done, ['b'])
  take(b, 1)
  take(b, 2)
  t.same(done, ['b', 'b1', 'b2'], 'once')
})

t.test('not more wait than are bounded', async t => {
  const { order, a } = start()
  const taken = Array.from({ length: 40 }, () => order.after(5, a, PDU, () => {})).filter(Boolean)
  t.equal(taken.length, 32)
})

t.test('numbers that were passed over are not carried out when they come late, across the wrap [RFC 1982]', async t => {
  const { done, window, order, take, a } = start(0xfffffffe)
  take(a, 0)
  order.passAllBefore(1)
  t.equal(window.expCmdSn, 1)
  for (const late of [0xfffffffe, 0xffffffff, 0]) take(a, late)
  t.same(done, [])
  take(a, 1)
  t.same(done, ['a1'])
})

t.test('one command is passed over only inside of the window [7143 §11.6.1]', async t => {
  const { done, order, take, a } = start()
  t.notOk(order.passOver(0))
  t.notOk(order.passOver(1 + COMMAND_WINDOW))
  t.ok(order.passOver(2))
  take(a, 2)
  take(a, 1)
  take(a, 3)
  t.same(done, ['a1', 'a3'])
})

t.test('unsolicited data of a held command are held with it, and follow it [7143 §4.2.4.2]', async t => {
  const { done, order, take, a, b } = start()
  const data = (by: Carrier, tag: number, front: number, bytes: number) =>
    order.holdData(by, { buffer: pdu(front, tag, bytes), head: 0, dataAt: 48, length: bytes }, 1000)
  t.equal(data(a, 2, 1, 10), 'unknown')
  take(a, 2)
  take(b, 3)
  t.equal(data(a, 2, 1, 600), 'held')
  t.equal(data(a, 2, 2, 400), 'held')
  t.equal(data(a, 2, 3, 1), 'too much')
  t.equal(data(b, 2, 4, 10), 'unknown', 'from another connection than its command')
  t.equal(data(b, 3, 5, 10), 'held')
  take(a, 1)
  t.same(done, ['a1', 'a2', 'a data 1 (600)', 'a data 2 (400)', 'b3', 'b data 5 (10)'])
})

t.test('data of a command that is passed over are dropped with it', async t => {
  const { done, order, take, a } = start()
  take(a, 2)
  order.holdData(a, { buffer: pdu(1, 2, 10), head: 0, dataAt: 48, length: 10 }, 1000)
  order.passOver(2)
  take(a, 1)
  t.same(done, ['a1'])
})
