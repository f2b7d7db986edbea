import { once } from 'node:events'
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import {
  bytesRead,
  closeAllOnExec,
  dup,
  fallocate,
  flockExclusive,
  mmapShared,
  NO_WAIT_UNSUPPORTED,
  pread,
  preadNoWait,
  punchHole,
  pwrite,
  replaceDescriptor,
  SystemCallError,
} from './index.js'

const directory = mkdtempSync(join(tmpdir(), 'scsipub-posix-'))
t.teardown(() => rmSync(directory, { recursive: true }))

function file(name: string, bytes: number, fill = 7): number {
  const path = join(directory, name)
  writeFileSync(path, Buffer.alloc(bytes, fill))
  const fd = openSync(path, 'r+')
  t.teardown(() => closeSync(fd))
  return fd
}

function isCloseOnExec(fd: number): boolean {
  const flags = /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0'
  return (Number.parseInt(flags, 8) & 0o2000000) !== 0
}

t.test('a duplicate outlives the descriptor it was made from', async t => {
  const fd = openSync(join(directory, 'dup'), 'w+')
  const copy = dup(fd)
  closeSync(fd)
  writeSync(copy, 'still here')
  closeSync(copy)
  t.equal(readFileSync(join(directory, 'dup'), 'utf8'), 'still here')
  t.throws(() => dup(copy), { name: 'SystemCallError', code: 'EBADF', syscall: 'dup', errno: 9 })
})

t.test('a duplicate is close-on-exec', async t => {
  const copy = dup(file('cloexec', 1))
  t.ok(isCloseOnExec(copy))
  closeSync(copy)
})

t.test('what is open can be kept from children, also what was opened without a word of it', async t => {
  const fd = file('inherited', 1)
  const copy = dup(fd)
  replaceDescriptor(fd, copy)
  t.notOk(isCloseOnExec(copy))
  closeAllOnExec()
  t.ok(isCloseOnExec(copy))
  closeSync(copy)
})

t.test('the exclusive lock belongs to one open file and ends with it', async t => {
  const path = join(directory, 'lock')
  const first = openSync(path, 'a')
  const second = openSync(path, 'a')
  t.equal(flockExclusive(first), true)
  t.equal(flockExclusive(second), false)
  closeSync(first)
  t.equal(flockExclusive(second), true)
  closeSync(second)
})

t.test('a mapping and the file are the same bytes, and the array is empty after unmap', async t => {
  const fd = file('map', 8192, 0)
  const mapping = mmapShared(fd, 8192)
  Atomics.or(mapping.words(), 1024, 0x01020304)
  mapping.sync()
  const bytes = Buffer.alloc(8192)
  pread(fd, bytes, 0, 8192, 0)
  t.equal(bytes.readInt32LE(4096), 0x01020304)
  writeSync(fd, Buffer.from([5]), 0, 1, 0)
  t.equal(Atomics.load(mapping.words(), 0), 5)
  mapping.unmap()
  mapping.unmap()
  t.equal(mapping.words().length, 0)
  t.notMatch(readFileSync('/proc/self/maps', 'utf8'), join(directory, 'map'))
})

t.test('of a mapping that is more than an array can look at, parts can be looked at', async t => {
  const GIB = 2 ** 30
  const fd = file('large', 0, 0)
  ftruncateSync(fd, 5 * GIB)
  const mapping = mmapShared(fd, 5 * GIB)
  const words = mapping.words(5 * GIB - 4096)
  t.equal(words.length, 1024)
  words[1023] = 0x01020304
  const bytes = Buffer.alloc(4096)
  pread(fd, bytes, 0, 4096, 5 * GIB - 4096)
  t.equal(bytes.readInt32LE(4092), 0x01020304)
  t.equal(mapping.words(GIB, 4 * GIB).at(-1), 0x01020304)
  t.throws(() => mapping.words(), RangeError)
  t.throws(() => mapping.words(4 * GIB, 2 * GIB), RangeError, 'beyond its end')
  t.throws(() => mapping.words(2), RangeError)
  mapping.unmap()
  t.equal(mapping.words().length, 0)
})

t.test('a mapping of no or of odd length is refused, and of a directory by the system', async t => {
  t.throws(() => mmapShared(0, 0), RangeError)
  t.throws(() => mmapShared(0, 6), RangeError)
  const fd = openSync(directory, 'r')
  t.throws(() => mmapShared(fd, 4096), { syscall: 'mmap', code: /EACCES|ENODEV/ })
  closeSync(fd)
})

t.test('fallocate reserves blocks, punchHole gives them back and leaves zeros', async t => {
  const fd = file('space', 0)
  fallocate(fd, 0, 1 << 20)
  t.equal(fstatSync(fd).size, 1 << 20)
  t.ok(fstatSync(fd).blocks * 512 >= 1 << 20)
  pwrite(fd, Buffer.alloc(1 << 20, 1), 0, 1 << 20, 0)
  const before = fstatSync(fd).blocks
  punchHole(fd, 65536, 4 * 65536)
  t.equal(before - fstatSync(fd).blocks, (4 * 65536) / 512)
  const bytes = Buffer.alloc(1 << 20)
  pread(fd, bytes, 0, 1 << 20, 0)
  t.equal(bytes.indexOf(0), 65536)
  t.equal(bytes.indexOf(1, 65536), 5 * 65536)
  t.throws(() => fallocate(fd, 0, -1), { code: 'EINVAL' })
  t.equal(statfsSync(directory).type > 0, true)
})

t.test('pread and pwrite move the bytes at offset and position, and pread stops at the end of the file', async t => {
  const fd = file('io', 8192, 0)
  const source = Buffer.alloc(300, 9)
  t.equal(pwrite(fd, source.subarray(100), 50, 100, 8100), 100)
  const target = Buffer.alloc(512, 1)
  t.equal(pread(fd, target, 10, 200, 8099), 101)
  t.equal(target[9], 1)
  t.equal(target[10], 0)
  t.equal(
    target.subarray(11, 111).every(byte => byte === 9),
    true,
  )
  t.equal(target[111], 1)
  t.equal(pread(fd, target, 0, 512, 1 << 20), 0)
})

t.test('a range outside the buffer never reaches the system', async t => {
  const fd = file('range', 4096)
  const buffer = Buffer.alloc(512)
  for (const call of [pread, preadNoWait, pwrite]) {
    t.throws(() => call(fd, buffer, 1, 512, 0), RangeError)
    t.throws(() => call(fd, buffer, -1, 10, 0), RangeError)
    t.throws(() => call(fd, buffer, Number.NaN, 10, 0), RangeError)
  }
  t.throws(() => pread(fd, new Uint8Array(16), 0, 16, 0), RangeError, 'memory that may move')
})

t.test('two views of one memory, and two memories in turn, are told apart', async t => {
  const fd = file('views', 4096)
  const slab = Buffer.allocUnsafeSlow(4096).fill(0)
  const other = Buffer.allocUnsafeSlow(4096).fill(0)
  for (const target of [slab.subarray(512), other, slab.subarray(1024)]) pread(fd, target, 0, 10, 0)
  t.same([slab.indexOf(7), slab.indexOf(7, 522), other.indexOf(7), other.lastIndexOf(7)], [512, 1024, 0, 9])
})

t.test('preadNoWait reads what was just written, or says that it cannot tell', async t => {
  const fd = file('hot', 8192)
  const target = Buffer.alloc(8192)
  const count = preadNoWait(fd, target, 0, 8192, 0)
  if (count === NO_WAIT_UNSUPPORTED) return t.pass('the file system of the temporary directory cannot tell')
  t.equal(count, 8192)
  t.equal(
    target.every(byte => byte === 7),
    true,
  )
  ftruncateSync(fd, 100)
  t.equal(preadNoWait(fd, target, 0, 512, 0), 100)
})

t.test('preadNoWait on memory (tmpfs) says that it cannot tell', async t => {
  const path = `/dev/shm/scsipub-posix-${process.pid}`
  writeFileSync(path, Buffer.alloc(512))
  const fd = openSync(path, 'r')
  t.equal(preadNoWait(fd, Buffer.alloc(512), 0, 512, 0), NO_WAIT_UNSUPPORTED)
  closeSync(fd)
  rmSync(path)
})

t.test('an error has the code, number and call of the system', async t => {
  t.throws(() => pread(99999, Buffer.alloc(512), 0, 512, 0), { code: 'EBADF', errno: 9, syscall: 'pread' })
  t.match(new SystemCallError('x', 28), { code: 'ENOSPC' })
  const full = openSync('/dev/full', 'w')
  t.throws(() => pwrite(full, Buffer.alloc(512), 0, 512, 0), { code: 'ENOSPC', syscall: 'pwrite' })
  closeSync(full)
})

t.test('bytesRead counts what was read of a connection, not what waits to be read', async t => {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  const [socket] = (await once(server, 'connection')) as [net.Socket]
  t.teardown(() => {
    client.destroy()
    socket.destroy()
    server.close()
  })
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
  t.equal(bytesRead(fd), 0)
  await new Promise(resolve => client.write(Buffer.alloc(100), resolve))
  t.equal(bytesRead(fd), 0, 'it has come, and waits')
  socket.resume()
  await once(socket, 'data')
  t.equal(bytesRead(fd), 100)
  client.write(Buffer.alloc(5))
  await once(socket, 'data')
  t.equal(bytesRead(fd), 105)
  const file = openSync('/dev/null', 'r')
  t.teardown(() => closeSync(file))
  t.equal(bytesRead(file), undefined, 'no connection')
})
