/** Descriptors that go to a real child process, and datagrams that a socket of the system receives. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import {
  dup,
  MAX_DESCRIPTORS,
  receiveDescriptors,
  receiverOfDatagrams,
  replaceDescriptor,
  sendDatagram,
  sendDescriptors,
  socketPair,
} from './index.js'

const CHILD = fileURLToPath(new URL('./fixtures/descriptor-child.js', import.meta.url))

function pair(t: Test): [number, number] {
  const fds = socketPair()
  t.teardown(() => {
    for (const fd of fds) closeSync(fd)
  })
  return fds
}

const openFiles = (): number => readdirSync('/proc/self/fd').length

t.test('another process gets the same open files, close-on-exec, though ours are closed by then', async t => {
  const [ours, theirs] = pair(t)
  const paths = Array.from({ length: MAX_DESCRIPTORS }, (_, index) => join(t.testdirName, `file-${index}`))
  t.testdir({})
  const fds = paths.map(path => openSync(path, 'w'))
  for (const fd of fds) writeSync(fd, 'parent\n')
  sendDescriptors(ours, fds, Buffer.from('all of them'))
  for (const fd of fds) closeSync(fd)
  const child = spawn(process.execPath, [CHILD], { stdio: ['ignore', 'pipe', 'inherit', theirs] })
  let said = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (said += text))
  await once(child, 'close')
  t.same(JSON.parse(said), {
    message: 'all of them',
    count: MAX_DESCRIPTORS,
    distinct: MAX_DESCRIPTORS,
    closeOnExec: true,
    more: false,
  })
  for (const [index, path] of paths.entries())
    t.equal(readFileSync(path, 'utf8'), `parent\nchild ${index}\n`, 'written where the parent was')
})

t.test('messages keep their bounds and their order, and their descriptors', async t => {
  const [ours, theirs] = pair(t)
  const [one, two] = [openSync('/dev/null', 'r'), openSync('/dev/zero', 'r')]
  sendDescriptors(ours, [one], Buffer.from('first'))
  sendDescriptors(ours, [two, one], Buffer.from('second'))
  const received = [receiveDescriptors(theirs), receiveDescriptors(theirs)]
  const inodes = received.map(message => message?.fds.map(fd => fstatSync(fd).ino))
  t.same(
    received.map(message => message?.message.toString()),
    ['first', 'second'],
  )
  t.same(inodes, [[fstatSync(one).ino], [fstatSync(two).ino, fstatSync(one).ino]])
  for (const fd of [one, two, ...received.flatMap(message => message?.fds ?? [])]) closeSync(fd)
})

t.test('nothing waits: no message is undefined, a closed other side a message of no bytes', async t => {
  const [ours, theirs] = socketPair()
  t.equal(receiveDescriptors(ours), undefined)
  closeSync(theirs)
  t.same(receiveDescriptors(ours), { fds: [], message: Buffer.alloc(0) })
  t.throws(() => sendDescriptors(ours, [0], Buffer.from('x')), { code: 'EPIPE', syscall: 'sendmsg' })
  closeSync(ours)
})

t.test('a queue that is full says EAGAIN, and nothing that was sent is lost or leaks', async t => {
  const before = openFiles()
  const [ours, theirs] = socketPair()
  const file = openSync('/dev/null', 'r')
  let sent = 0
  t.throws(
    () => {
      for (;;) {
        sendDescriptors(ours, [file], Buffer.from('x'))
        sent++
      }
    },
    { code: /EAGAIN|ETOOMANYREFS/ },
  )
  let received = 0
  for (let message = receiveDescriptors(theirs); message; message = receiveDescriptors(theirs)) {
    received++
    for (const fd of message.fds) closeSync(fd)
  }
  t.ok(sent > 0)
  t.equal(received, sent)
  for (const fd of [ours, theirs, file]) closeSync(fd)
  t.equal(openFiles(), before)
})

t.test('too many descriptors, none, no message and a closed descriptor are refused', async t => {
  const [ours, theirs] = pair(t)
  const message = Buffer.from('x')
  t.throws(() => sendDescriptors(ours, new Array(MAX_DESCRIPTORS + 1).fill(0), message), RangeError)
  t.throws(() => sendDescriptors(ours, [], message), RangeError)
  t.throws(() => sendDescriptors(ours, [0], Buffer.alloc(0)), RangeError)
  t.throws(() => sendDescriptors(ours, [99999], message), { code: 'EBADF' })
  t.equal(receiveDescriptors(theirs), undefined, 'nothing of it was sent')
})

t.test('a descriptor takes the place of another one', async t => {
  const dir = t.testdir({})
  const first = openSync(join(dir, 'first'), 'w')
  const second = openSync(join(dir, 'second'), 'w')
  const name = dup(first)
  replaceDescriptor(second, name)
  writeSync(name, 'to the second')
  for (const fd of [first, second, name]) closeSync(fd)
  t.equal(readFileSync(join(dir, 'second'), 'utf8'), 'to the second')
  t.throws(() => replaceDescriptor(99999, name), { code: 'EBADF', syscall: 'dup3' })
})

t.test('a datagram reaches a socket with a path, and one with an abstract name', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'scsipub-posix-')) // a short name: a path of a socket has 107 bytes
  t.teardown(() => rmSync(dir, { recursive: true }))
  for (const name of [join(dir, 'notify'), `@scsipub-posix-${process.pid}`]) {
    const socket = receiverOfDatagrams(name)
    const bound = readFileSync('/proc/net/unix', 'utf8').split('\n')
    t.ok(
      bound.some(line => line.endsWith(` ${name}`)),
      `the kernel knows ${name}, and an abstract name by the @`,
    )
    sendDatagram(name, Buffer.from('READY=1\nSTATUS=x'))
    t.equal(receiveDescriptors(socket)?.message.toString(), 'READY=1\nSTATUS=x', name)
    t.equal(receiveDescriptors(socket), undefined)
    t.throws(() => receiverOfDatagrams(name), { code: 'EADDRINUSE', syscall: 'bind' })
    closeSync(socket)
  }
  t.throws(() => sendDatagram(join(dir, 'nobody'), Buffer.from('x')), { code: 'ENOENT' })
  t.throws(() => sendDatagram(`@scsipub-nobody-${process.pid}`, Buffer.from('x')), { code: 'ECONNREFUSED' })
  t.throws(() => sendDatagram('', Buffer.from('x')), RangeError)
  t.throws(() => sendDatagram(`/${'x'.repeat(108)}`, Buffer.from('x')), RangeError)
})
