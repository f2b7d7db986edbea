import t from 'tap'
import { decodeKeys, decodePairs, encodeKeys } from './text-keys.js'

t.test('pairs keep order and repetitions [7143 §6.1]', async t => {
  const pairs = [
    ['TargetName', 'a'],
    ['TargetAddress', 'x=y'],
    ['TargetName', 'b'],
  ] as const
  t.same(decodePairs(encodeKeys(pairs)), pairs)
  t.equal(encodeKeys({ A: 'b' }).toString(), 'A=b\0')
  t.throws(() => decodeKeys(encodeKeys(pairs)), /comes twice/)
  t.throws(() => decodePairs(Buffer.from('A=b')), /zero byte/)
  t.throws(() => decodePairs(Buffer.from('Ab\0')), /not a key=value/)
})
