/** Sizes and times as people write them. */
import t from 'tap'
import { formatMoment, formatSize, parseDuration, parseNumber, parseSize } from './quantities.js'

t.test('sizes are powers of 1024, whatever the unit is spelled like', t => {
  for (const [text, bytes] of [
    ['512', 512],
    ['64M', 67_108_864],
    ['64MiB', 67_108_864],
    ['64mb', 67_108_864],
    ['1.5G', 1_610_612_736],
    ['8T', 2 ** 43],
    ['1K', 1024],
  ] as const)
    t.equal(parseSize(text), bytes, text)
  for (const text of ['', 'G', '-1', '1E', '1 G', '0x10', '1Gib2'])
    t.throws(() => parseSize(text), { name: 'CommandFailure' }, text)
  t.end()
})

t.test('times have a unit or are seconds', t => {
  for (const [text, seconds] of [
    ['7d', 604_800],
    ['12h', 43_200],
    ['30m', 1800],
    ['90s', 90],
    ['90', 90],
  ] as const)
    t.equal(parseDuration(text), seconds, text)
  for (const text of ['', 'd', '1w', '-1', '1.5h'])
    t.throws(() => parseDuration(text), { name: 'CommandFailure' }, text)
  t.end()
})

t.test('numbers are nothing but digits', t => {
  t.equal(parseNumber('255', 'a LUN'), 255)
  for (const text of ['', '-1', '1x', ' 1', '1e3'])
    t.throws(() => parseNumber(text, 'a LUN'), { name: 'CommandFailure' }, text)
  t.end()
})

t.test('what is printed reads as it was typed', t => {
  t.same([0, 512, 1024, 67_108_864, 1_610_612_736, 2 ** 43].map(formatSize), [
    '0 B',
    '512 B',
    '1 KiB',
    '64 MiB',
    '1.5 GiB',
    '8 TiB',
  ])
  t.equal(formatMoment('2030-01-31T10:20:30.123Z'), '2030-01-31 10:20:30 UTC')
  t.end()
})
