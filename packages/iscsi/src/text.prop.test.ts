// Text: round trips, limits, and texts in pieces.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { encodeText, normalizeName, parseText, TextAssembler, TextPages } from './index.js'

const key = fc.stringMatching(/^[A-Z][A-Za-z0-9.\-+@_#]{0,62}$/)
const value = fc
  .string({ unit: 'grapheme', maxLength: 60 })
  .filter(text => !text.includes('\0') && Buffer.byteLength(text) <= 255)
const pairs = fc.uniqueArray(fc.record({ key, value }, { noNullPrototype: true }), {
  maxLength: 64,
  selector: pair => pair.key,
})

t.test('pairs survive encode and parse in their order [7143 §6.1]', async t => {
  fc.assert(fc.property(pairs, given => assert.deepEqual(parseText(encodeText(given)), given)))
  t.pass('holds for every case')
})

t.test('a text given out in pages and gathered again is the same text [7143 §6.2]', async t => {
  fc.assert(
    fc.property(pairs, fc.integer({ min: 1, max: 300 }), (given, size) => {
      const text = encodeText(given)
      const pages = new TextPages(text)
      const assembler = new TextAssembler(text.length)
      for (;;) {
        const { piece, last } = pages.next(size)
        assert.ok(piece.length <= size)
        const receive = Buffer.from(piece)
        const whole = assembler.add(receive, !last)
        if (last) {
          assert.ok(Buffer.isBuffer(whole) && whole.equals(text))
          break
        }
        receive.fill(0xee)
        assert.equal(whole, undefined)
      }
      assert.equal(assembler.pendingBytes, 0)
    }),
  )
  t.pass('holds for every case')
})

t.test('any bytes give pairs or a named fault', async t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), array => {
      const result = parseText(Buffer.from(array))
      if (!Array.isArray(result)) assert.ok(result.kind === 'textFault' && result.why.length > 0)
    }),
  )
  t.pass('holds for every case')
})

const text = (...lines: string[]): Buffer => Buffer.from(lines.map(line => `${line}\0`).join(''))

t.test('limits: 64 keys, 63 bytes a key, 255 a value, 2050 for 1024 bytes of CHAP [7143 §6.1, §12.1.3]', async t => {
  const many = (count: number) => text(...Array.from({ length: count }, (_, index) => `K${index}=v`))
  t.equal((parseText(many(64)) as unknown[]).length, 64)
  t.match(parseText(many(65)), { kind: 'textFault', why: /64 keys/ })
  t.match(parseText(text(`${'K'.repeat(63)}=v`)), [{ value: 'v' }])
  t.match(parseText(text(`${'K'.repeat(64)}=v`)), { kind: 'textFault', why: /63 bytes/ })
  t.match(parseText(text(`K=${'v'.repeat(255)}`)), [{ key: 'K' }])
  t.match(parseText(text(`K=${'v'.repeat(256)}`)), { kind: 'textFault', why: /255 bytes/ })
  t.match(parseText(text(`CHAP_C=${'v'.repeat(2050)}`)), [{ key: 'CHAP_C' }])
  t.match(parseText(text(`CHAP_C=${'v'.repeat(2051)}`)), { kind: 'textFault', why: /2050 bytes/ })
  t.match(parseText(text(`CHAP_N=${'v'.repeat(256)}`)), { kind: 'textFault', why: /255 bytes/ })
  t.match(parseText(text('novalue')), { kind: 'textFault', why: /without "="/ })
  t.match(parseText(text('0=1')), { kind: 'textFault', why: /standard-label/ })
  t.match(parseText(Buffer.from('K=\xff\0', 'latin1')), { kind: 'textFault', why: /UTF-8/ })
  t.match(new TextAssembler(4).add(Buffer.alloc(5), true), { kind: 'textFault', why: /4 bytes/ })
})

t.test('a key again with the same value is one pair, with another a fault [7143 §6.2]', async t => {
  t.same(parseText(text('A=1', 'B=2', 'A=1')), [
    { key: 'A', value: '1' },
    { key: 'B', value: '2' },
  ])
  t.match(parseText(text('A=1', 'A=2')), { kind: 'textFault', why: /A twice/ })
  t.same(
    parseText(Buffer.from('A=1\0\0\0B=2')),
    [
      { key: 'A', value: '1' },
      { key: 'B', value: '2' },
    ],
    'padding and no last zero',
  )
})

t.test('iSCSI names are lower-cased, anything else is none [7143 §4.2.7]', async t => {
  t.equal(normalizeName('iqn.2025-01.pub.ScsiPub:Blank'), 'iqn.2025-01.pub.scsipub:blank')
  t.equal(normalizeName('EUI.02004567A425678D'), 'eui.02004567a425678d')
  t.equal(normalizeName('naa.52004567ba64678d'), 'naa.52004567ba64678d')
  for (const wrong of [
    '',
    'disk',
    'iqn.2025-1.pub',
    'eui.0200',
    'iqn.2025-01.pub:a b',
    'iqn.2025-01.pub:a\n',
    `iqn.2025-01.pub:${'x'.repeat(223)}`,
  ]) {
    t.equal(normalizeName(wrong), undefined, JSON.stringify(wrong))
  }
})
