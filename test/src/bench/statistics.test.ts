import t from 'tap'
import { compare, median } from './statistics.js'

t.test('the median is the middle value, or the mean of the two middle ones', async t => {
  t.equal(median([5]), 5)
  t.equal(median([9, 1, 5]), 5)
  t.equal(median([100, 9, 20, 3]), 14.5, 'sorted as numbers, not as text')
  t.throws(() => median([]), RangeError)
})

t.test('rounds are compared one by one, and by their medians', async t => {
  const rounds = { ours: [10, 40, 90], theirs: [10, 20, 10] }
  t.same(compare(rounds), { ours: 40, theirs: 10, ratioOfMedians: 4, medianOfRatios: 2, ratios: [1, 9] })
  t.same(rounds, { ours: [10, 40, 90], theirs: [10, 20, 10] }, 'the rounds keep their order')
  t.throws(() => compare({ ours: [1, 2], theirs: [1] }), /2 rounds against 1/)
})
