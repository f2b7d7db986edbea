/** The link between two processes; here both ends are in one, over real sockets. */
import { closeSync, fstatSync, openSync, readdirSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { socketPair } from '@scsipub/posix'
import t from 'tap'
import { Link, type LinkMessage } from './link.js'

type Text = LinkMessage & { kind: 'text'; text: string; bytes?: Buffer; map?: Map<number, bigint> }

async function link(): Promise<{ here: Link; there: Link; streams: [Socket, Socket]; over: () => Promise<unknown> }> {
  const path = join(tmpdir(), `scsipub-link-${process.pid}-${Math.random().toString(36).slice(2)}`)
  const server = createServer()
  const accepted = new Promise<Socket>(resolve => server.once('connection', resolve))
  await new Promise<void>(resolve => server.listen(path, resolve))
  const near = createConnection(path)
  const far = await accepted
  server.close()
  const [one, two] = socketPair()
  const closed = [near, far].map(stream => new Promise(resolve => stream.once('close', resolve)))
  const here = new Link(near, one)
  const there = new Link(far, two)
  const over = () => {
    here.close()
    there.close()
    return Promise.all(closed)
  }
  return { here, there, streams: [near, far], over }
}

t.test('messages arrive in order, whatever their size, with buffers, maps and large numbers in them', async t => {
  const { here, there, over } = await link()
  const bytes = Buffer.alloc(3 << 20, 7)
  here.send({ kind: 'text', text: 'first' } as Text)
  here.send({ kind: 'text', text: 'large', bytes, map: new Map([[1, 2n ** 60n]]) } as Text)
  here.send({ kind: 'text', text: 'last' } as Text)
  t.equal((await there.receive<Text>('text')).text, 'first')
  const large = await there.receive<Text>('text')
  t.ok(bytes.equals(large.bytes as Buffer))
  t.equal(large.map?.get(1), 2n ** 60n)
  t.equal((await there.receive<Text>('text')).text, 'last')
  here.close()
  await t.rejects(there.receive('text'), /the other process has ended/)
  await over()
})

t.test('bytes have a buffer of their own: a thread that is given them is not given the whole message', async t => {
  const { here, there, over } = await link()
  here.send({ kind: 'text', text: 'x'.repeat(100_000), bytes: Buffer.alloc(48, 7) } as Text)
  const { bytes } = await there.receive<Text>('text')
  t.equal(bytes?.length, 48)
  t.equal(bytes?.buffer.byteLength, 48)
  here.close()
  await over()
})

t.test('what is said out of turn is told', async t => {
  const { here, there, over } = await link()
  here.send({ kind: 'go' })
  await t.rejects(there.receive('ready', 'failed'), /says "go" where ready or failed is expected/)
  await over()
})

t.test('more descriptors than fit into one message arrive, each under the number that it had', async t => {
  const { here, there, over } = await link()
  const before = readdirSync('/proc/self/fd').length
  const fds = Array.from({ length: 600 }, (_, index) =>
    openSync(['/dev/null', '/dev/zero', '/dev/full'][index % 3]!, 'r'),
  )
  const [, ours] = await Promise.all([here.sendDescriptors(fds), there.receiveDescriptors()])
  t.same([...ours.keys()], fds)
  for (const [theirs, own] of ours) if (fstatSync(theirs).rdev !== fstatSync(own).rdev) t.fail('another file')
  for (const fd of [...fds, ...ours.values()]) closeSync(fd)
  t.equal(readdirSync('/proc/self/fd').length, before)
  const none = await Promise.all([here.sendDescriptors([]), there.receiveDescriptors()])
  t.equal(none[1].size, 0)
  await over()
})

t.test('the end of the other process ends every wait, and leaves no descriptor open', async t => {
  const before = readdirSync('/proc/self/fd').length
  const { here, there, streams, over } = await link()
  const fds = [openSync('/dev/null', 'r'), openSync('/dev/null', 'r')]
  const sending = here.sendDescriptors(fds)
  const waiting = there.receive('descriptors')
  await waiting
  streams[1].destroy()
  await t.rejects(sending, /the other process has ended/)
  await t.rejects(there.receive('anything'), /ended/)
  for (const fd of fds) closeSync(fd)
  await over()
  t.equal(readdirSync('/proc/self/fd').length, before)
})
