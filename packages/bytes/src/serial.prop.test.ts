// Serial numbers: the order holds across the wrap [RFC 1982 §3].

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { snAdd, snDiff, snGt, snGte, snLt, snLte } from './index.js'

const word = fc.integer({ min: 0, max: 0xffffffff })

t.test('a number advanced by 1 to 2^31-1 comes after itself, wrapped or not [RFC 1982 §3.2]', async t => {
  fc.assert(
    fc.property(word, fc.integer({ min: 1, max: 0x7fffffff }), (a, n) => {
      const later = snAdd(a, n)
      assert.ok(later >= 0 && later <= 0xffffffff)
      assert.ok(snLt(a, later) && snLte(a, later) && snGt(later, a) && snGte(later, a))
      assert.ok(!(snGt(a, later) || snGte(a, later) || snLt(later, a) || snLte(later, a)))
      assert.equal(snDiff(later, a), n)
      assert.equal(snDiff(a, later), -n)
      assert.equal(snAdd(later, -n), a)
    }),
  )
  t.pass('holds for every case')
})

t.test('a number is neither before nor after itself', async t => {
  fc.assert(
    fc.property(word, a => {
      assert.ok(!(snLt(a, a) || snGt(a, a)))
      assert.ok(snLte(a, a) && snGte(a, a))
      assert.equal(snDiff(a, a), 0)
    }),
  )
  t.pass('holds for every case')
})

t.test('the wrap itself', async t => {
  t.equal(snAdd(0xffffffff, 1), 0)
  t.ok(snLt(0xffffffff, 0))
  t.ok(snGt(5, 0xfffffff0))
})
