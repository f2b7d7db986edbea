import fc from 'fast-check'
import t from 'tap'
import { ACCESS_TABLE_WORDS, AccessTable } from './access-table.js'
import { Borrower, NOBODY, type PortDigest, portDigest } from './borrower.js'

/** A table does not begin with its memory. */
const FIRST = 6
const table = () => new AccessTable(new Int32Array(new SharedArrayBuffer((FIRST + ACCESS_TABLE_WORDS) * 4)), FIRST)

/** Few values for the low half, so that chains and marks are met. */
const port: fc.Arbitrary<PortDigest> = fc.record({
  high: fc.integer({ min: 1, max: 30 }),
  low: fc.integer({ min: 0, max: 3 }),
})
const key = ({ high, low }: PortDigest) => `${high}/${low}`

t.test('after any row of changes the table has the ports of the last one and no others', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.uniqueArray(port, { selector: key, maxLength: 60 }), { maxLength: 12 }),
      fc.array(port, { maxLength: 20 }),
      (changes, strangers) => {
        const access = table()
        for (const ports of changes) {
          access.replace(ports)
          const inside = new Set(ports.map(key))
          if (!ports.every(one => access.has(one))) return false
          if (strangers.some(one => access.has(one) !== inside.has(key(one)))) return false
        }
        return true
      },
    ),
  )
})

t.test('who stays in the table keeps its place through changes', async t => {
  const words = new Int32Array(new SharedArrayBuffer((FIRST + ACCESS_TABLE_WORDS) * 4))
  const access = new AccessTable(words, FIRST)
  const [first, second, third] = [7, 8, 9].map(high => ({ high, low: 5 })) as [PortDigest, PortDigest, PortDigest]
  access.replace([first, second, third])
  const before = [...words]
  access.replace([third])
  t.same(words.indexOf(9), before.indexOf(9))
  t.notOk(access.has(first))
  access.replace([])
  t.ok(
    words.every((word, at) => at % 2 === 1 || word === 0),
    'and an empty table has no marks',
  )
})

t.test('as many ports as may be registered have room, twice over', async t => {
  const access = table()
  const ports = Array.from({ length: 256 }, (_, index) => portDigest(`port ${index}`))
  for (let from = 0; from < 128; from++) access.replace(ports.slice(from, from + 128))
  t.ok(ports.slice(127, 255).every(one => access.has(one)))
  t.notOk(access.has(ports[0]!))
})

t.test('a borrower is its session and its port', async t => {
  const one = new Borrower(1, 'iqn.2025-01.test:a,i,0x000000000001')
  const again = new Borrower(2, 'iqn.2025-01.test:a,i,0x000000000001')
  t.same(one.digest, again.digest)
  t.not(one.digest.high, new Borrower(1, 'iqn.2025-01.test:a,i,0x000000000002').digest.high)
  t.notOk(table().has(NOBODY.digest))
})
