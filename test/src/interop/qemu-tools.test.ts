// QEMU's block tools against the server: patterns written and read back over new connections, whole images copied in and
// compared, and disks of anonymous sessions that share nothing.

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { runProgram } from '../harness/run-program.js'
import { type Server, withServer } from '../harness/server.js'

const SIZE_BYTES = 32 << 20
const IMAGE = randomBytes(5 << 20)

/** Runs qemu-io commands in one session; the exit code is that of the worst. */
async function io(t: Test, url: string, commands: readonly string[], title: string): Promise<void> {
  const { code, stdout, stderr } = await runProgram('qemu-io', [
    '-f',
    'raw',
    ...commands.flatMap(command => ['-c', command]),
    url,
  ])
  t.equal(code, 0, title, { stdout, stderr })
  t.notMatch(stdout + stderr, /Pattern verification failed|error/i, title)
}

t.test('QEMU block tools', async t => {
  const config = {
    targets: [{ name: 'disk', auth: 'none', luns: [{ sizeBytes: SIZE_BYTES }, { sizeBytes: SIZE_BYTES }] }],
  }
  await withServer(t, { config, images: { picture: IMAGE } }, async server => {
    await patterns(t, server)
    await copies(t, server)
    await catalog(t, server)
    await privacy(t, server)
  })
})

async function patterns(t: Test, server: Server): Promise<void> {
  const url = server.url('disk')
  const end = SIZE_BYTES - 512
  const written = [
    'write -P 0x11 0 4k',
    'write -P 0x22 512 512',
    'write -P 0x33 1M 3M',
    `write -P 0x44 ${end} 512`,
    'flush',
  ]
  const read = [
    'read -P 0x11 0 512',
    'read -P 0x22 512 512',
    'read -P 0x11 1k 3k',
    'read -P 0 4k 1020k',
    'read -P 0x33 1M 3M',
  ]
  const last = [`read -P 0x44 ${end} 512`, `read -P 0 ${end - 512} 512`]
  await io(t, url, [...written, ...read, ...last], 'patterns are read back in the session that wrote them')
  await io(t, url, [...read, ...last], 'and in the next one')
  await io(t, server.url('disk', 1), ['read -P 0 0 32M'], 'the neighbour LUN has none of it')
  await io(t, url, ['write -f -P 0x55 8M 64k', 'read -P 0x55 8M 64k'], 'a write with force unit access')
  const parallel = Array.from({ length: 64 }, (_, index) => `aio_write -P ${index + 1} ${index * 65536} 64k`)
  const verify = Array.from({ length: 64 }, (_, index) => `read -P ${index + 1} ${index * 65536} 64k`)
  await io(t, url, [...parallel, 'aio_flush', ...verify], '64 writes at once')
}

async function copies(t: Test, server: Server): Promise<void> {
  const file = join(server.dataDir, 'random.source')
  writeFileSync(file, randomBytes(SIZE_BYTES))
  const url = server.url('disk', 1)
  const copied = await runProgram('qemu-img', ['convert', '-n', '-f', 'raw', '-O', 'raw', '-W', '-m', '8', file, url])
  t.equal(copied.code, 0, 'qemu-img convert to the target', copied)
  const same = await runProgram('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', file, url])
  t.equal(same.code, 0, 'qemu-img compare: identical', same)
  const back = `${file}.back`
  const fetched = await runProgram('qemu-img', ['convert', '-f', 'raw', '-O', 'raw', url, back])
  t.equal(fetched.code, 0, 'qemu-img convert from the target', fetched)
  const equal = await runProgram('cmp', [file, back])
  t.equal(equal.code, 0, 'and the same bytes come back', equal)
}

async function catalog(t: Test, server: Server): Promise<void> {
  const file = join(server.dataDir, 'catalog', 'picture.img')
  const url = server.url('picture')
  const same = await runProgram('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', file, url])
  t.equal(same.code, 0, 'a catalog image is the disk that the initiator sees', same)
  await io(t, url, ['write -P 0x77 0 1M', 'read -P 0x77 0 1M'], 'it can be written to')
  const again = await runProgram('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', file, url])
  t.equal(again.code, 0, 'and neither the image nor the next session sees it', again)
}

async function privacy(t: Test, server: Server): Promise<void> {
  const url = server.url('blank')
  await io(
    t,
    url,
    ['read -P 0 0 64M', 'write -P 0x99 0 8M', 'read -P 0x99 0 8M'],
    'a blank disk is empty and can be written to',
  )
  await io(t, url, ['read -P 0 0 64M'], 'the next anonymous session gets an empty one')
}
