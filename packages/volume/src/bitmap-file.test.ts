import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import {
  BITMAP_FORMAT,
  BitmapDamaged,
  bitmapFileBytes,
  createBitmapFile,
  MappedBitmap,
  readBitmapHeader,
  upgradeBitmapFile,
  writeBitmapHeader,
} from './bitmap-file.js'
import { countAbsent, setPresent } from './sector-bits.js'

const directory = mkdtempSync(join(tmpdir(), 'scsipub-bitmap-'))
t.teardown(() => rmSync(directory, { recursive: true }))
const header = {
  sizeSectors: 40000,
  bootId: '5d8ad1a0-59f2-4a2a-9a7e-1f1b7c6a1a77',
  format: BITMAP_FORMAT.provisioned,
}

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
  t.equal(statSync(path).size, 7 * 4096, 'the header and three times two pages of 32768 sectors')
  t.ok(statSync(path).blocks * 512 >= 7 * 4096, 'a store never finds the disk full')
  const bitmap = new MappedBitmap(path, header.sizeSectors)
  t.equal(bitmap.words.length, 2048)
  for (const region of [bitmap.words, bitmap.deallocated, bitmap.anchored]) {
    t.equal(region.length, 2048)
    t.equal(
      region.every(word => word === 0),
      true,
    )
  }
  bitmap.words[2047] = 1
  t.equal(bitmap.deallocated[0], 0, 'the regions do not overlap')
  bitmap.unmap()
  t.equal(bitmap.words.length, 0)
})

t.test('the bitmap of a disk of 8 TiB, 6 GiB long', async t => {
  const large = { ...header, sizeSectors: 2 ** 43 / 512 }
  const path = join(directory, 'large')
  const fd = openSync(path, 'wx+')
  ftruncateSync(fd, bitmapFileBytes(large.sizeSectors, large.format)) // `createBitmapFile` takes all of its room
  writeBitmapHeader(fd, large)
  const bitmap = new MappedBitmap(path, large.sizeSectors)
  const regions = [bitmap.words, bitmap.deallocated, bitmap.anchored]
  for (const [index, region] of regions.entries())
    t.equal(setPresent(region, large.sizeSectors - 3, 3 - index), 3 - index)
  t.same(
    regions.map(region => countAbsent(region, large.sizeSectors - 4, 4)),
    [1, 2, 3],
  )
  bitmap.unmap()
  const last = Buffer.alloc(4)
  readSync(fd, last, 0, 4, bitmapFileBytes(large.sizeSectors, large.format) - 4)
  t.equal(last.readUInt32LE(), 0x20000000)
  closeSync(fd)
})

t.test('one that there is no room for takes none', async t => {
  const { bavail, bsize } = statfsSync(directory)
  const path = join(directory, 'huge')
  const sizeSectors = Math.ceil((bavail * bsize * 8) / 3) + 2 ** 35
  t.throws(() => createBitmapFile(path, { ...header, sizeSectors }), { code: 'ENOSPC' })
  t.equal(statSync(path).blocks, 0)
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
  ftruncateSync(fd, bitmapFileBytes(header.sizeSectors, header.format) - 1)
  t.throws(() => readBitmapHeader(fd, path), /28671 bytes instead of 28672/)
  ftruncateSync(fd, 10)
  t.throws(() => readBitmapHeader(fd, path), /too short/)
  closeSync(fd)
})

t.test(
  'a bitmap of the old format gets its regions and keeps its bits, also when an earlier try was cut off',
  async t => {
    for (const interrupted of [false, true]) {
      const path = join(directory, `old${interrupted}`)
      createBitmapFile(path, { ...header, format: BITMAP_FORMAT.presence })
      t.throws(() => new MappedBitmap(path, header.sizeSectors), /old format/)
      const fd = openSync(path, 'r+')
      writeSync(fd, Buffer.alloc(5000, 0xff), 0, 5000, 4096)
      if (interrupted) ftruncateSync(fd, bitmapFileBytes(header.sizeSectors, BITMAP_FORMAT.provisioned))
      t.same(upgradeBitmapFile(fd, readBitmapHeader(fd, path)), header)
      t.same(upgradeBitmapFile(fd, readBitmapHeader(fd, path)), header, 'once')
      closeSync(fd)
      const bitmap = new MappedBitmap(path, header.sizeSectors)
      t.equal(
        bitmap.words.subarray(0, 1250).every(word => word === -1),
        true,
      )
      t.equal(
        [bitmap.deallocated, bitmap.anchored].every(region => region.every(word => word === 0)),
        true,
      )
      bitmap.unmap()
    }
  },
)
