import fc from 'fast-check'
import t from 'tap'
import {
  allBits,
  countAbsent,
  countPresent,
  isPresent,
  PRESENCE,
  presence,
  presenceBits,
  runLength,
  setPresent,
  trailingZeros,
} from './sector-bits.js'

const SECTORS = 256
const range = fc
  .tuple(fc.nat(SECTORS - 1), fc.integer({ min: 1, max: SECTORS }))
  .map(([first, count]) => ({ first, count: Math.min(count, SECTORS - first) }))

/** Words and the plain array that they mean. */
function build(sets: { first: number; count: number }[]): { words: Int32Array; model: boolean[] } {
  const words = new Int32Array(SECTORS / 32)
  const model = new Array<boolean>(SECTORS).fill(false)
  for (const { first, count } of sets) {
    setPresent(words, first, count)
    model.fill(true, first, first + count)
  }
  return { words, model }
}

t.test('every question about a range has the answer of a plain array', async t => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 6 }), range, (sets, { first, count }) => {
      const { words, model } = build(sets)
      const part = model.slice(first, first + count)
      const expected = part.every(Boolean) ? PRESENCE.all : part.some(Boolean) ? PRESENCE.mixed : PRESENCE.none
      const here = part[0] ?? false
      const end = part.indexOf(!here)
      return (
        presence(words, first, count) === expected &&
        countAbsent(words, first, count) === part.filter(present => !present).length &&
        isPresent(words, first) === here &&
        runLength(words, first, count, here) === (end < 0 ? count : end) &&
        countPresent(words) === model.filter(Boolean).length
      )
    }),
    { numRuns: 2000 },
  )
  t.pass('2000 bitmaps')
})

t.test('the bits of a short range are those of the plain array, over the end of a word too', async t => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 6 }), range, (sets, { first, count: any }) => {
      const { words, model } = build(sets)
      const count = Math.min(any, 32)
      const part = model.slice(first, first + count)
      const bits = presenceBits(words, first, count)
      return (
        part.every((present, at) => present === (((bits >>> at) & 1) === 1)) &&
        (bits === allBits(count)) === part.every(Boolean) &&
        (bits === 0 || trailingZeros(bits) === part.indexOf(true))
      )
    }),
    { numRuns: 2000 },
  )
  t.pass('2000 bitmaps')
})

t.test('setting tells how many were new and changes nothing else', async t => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 4 }), range, (sets, { first, count }) => {
      const { words, model } = build(sets)
      const absent = model.slice(first, first + count).filter(present => !present).length
      const added = setPresent(words, first, count)
      model.fill(true, first, first + count)
      return added === absent && model.every((present, sector) => isPresent(words, sector) === present)
    }),
    { numRuns: 2000 },
  )
  t.pass('2000 bitmaps')
})

t.test('a sector beyond 2^31 falls into its own word', async t => {
  // Only the arithmetic is looked at: a bitmap of that size would need 256 MiB.
  const words = new Int32Array(new SharedArrayBuffer(4 * (2 ** 26 + 2)))
  setPresent(words, 2 ** 31 + 33, 1)
  t.equal(isPresent(words, 2 ** 31 + 33), true)
  t.equal(words[2 ** 26 + 1], 2)
  t.equal(presence(words, 2 ** 31 + 32, 8), PRESENCE.mixed)
})

t.test('a run counts the sector its caller has seen, even when another thread has set it since', async t => {
  const words = new Int32Array([0b1])
  t.equal(runLength(words, 0, 8, false), 1)
})
