import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { BitmapDamaged, bitmapFileBytes, createBitmapFile, MappedBitmap, readBitmapHeader } from './bitmap-file.js'

const directory = mkdtempSync(join(tmpdir(), 'scsipub-bitmap-'))
t.teardown(() => rmSync(directory, { recursive: true }))
const header = { sizeSectors: 40000, bootId: '5d8ad1a0-59f2-4a2a-9a7e-1f1b7c6a1a77' }

function made(name: string): string {
  const path = join(directory, name)
  createBitmapFile(path, header)
  return path
}

function readHeader(path: string): unknown {
  const fd = openSync(path, 'r')
  try {
    return readBitmapHeader(fd, path)
  } finally {
    closeSync(fd)
  }
}

t.test('a new bitmap has its header, no bit, and all of its blocks', async t => {
  const path = made('new')
  t.same(readHeader(path), header)
  t.equal(statSync(path).size, 3 * 4096, 'the header and two pages of 32768 sectors')
  t.ok(statSync(path).blocks * 512 >= 3 * 4096, 'a store never finds the disk full')
  const bitmap = new MappedBitmap(path, header.sizeSectors)
  t.equal(bitmap.words.length, 2048)
  t.equal(
    bitmap.words.every(word => word === 0),
    true,
  )
  bitmap.unmap()
  t.equal(bitmap.words.length, 0)
})

t.test('a bitmap that exists is never made again', async t => {
  t.throws(() => createBitmapFile(made('twice'), header), { code: 'EEXIST' })
})

t.test('any flipped bit of the header is found', async t => {
  const path = made('flip')
  const good = readFileSync(path)
  for (let bit = 0; bit < 96 * 8; bit++) {
    const bad = Buffer.from(good)
    bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    writeFileSync(path, bad)
    t.throws(() => readHeader(path), BitmapDamaged, `bit ${bit}`)
  }
})

t.test('a bitmap that was cut, or is of another size, is refused', async t => {
  const path = made('cut')
  t.throws(() => new MappedBitmap(path, header.sizeSectors + 1), BitmapDamaged)
  const fd = openSync(path, 'r+')
  ftruncateSync(fd, bitmapFileBytes(header.sizeSectors) - 1)
  t.throws(() => readBitmapHeader(fd, path), /12287 bytes instead of 12288/)
  ftruncateSync(fd, 10)
  t.throws(() => readBitmapHeader(fd, path), /too short/)
  closeSync(fd)
})
