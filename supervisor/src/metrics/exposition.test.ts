/** The text that Prometheus reads: names, labels with anything in them, histograms that add up. */
import t from 'tap'
import { counter, expose, gauge } from './exposition.js'

t.test('families with help, type and samples', t => {
  const text = expose([
    gauge('a', 'One', 1.5),
    counter('b_total', 'Two\nlines \\', [
      { labels: { event: 'x"y\\z\n', worker: 0 }, value: 2 ** 53 },
      { value: Number.POSITIVE_INFINITY },
    ]),
    gauge('c', 'Nothing known', []),
  ])
  t.equal(
    text,
    `# HELP a One
# TYPE a gauge
a 1.5
# HELP b_total Two\\nlines \\\\
# TYPE b_total counter
b_total{event="x\\"y\\\\z\\n",worker="0"} 9007199254740992
b_total +Inf
# HELP c Nothing known
# TYPE c gauge
`,
  )
  t.end()
})

t.test('a histogram is cumulative and ends with what is beyond all bounds', t => {
  const samples = [{ labels: { kind: 'read' }, bounds: [0.001, 0.5], counts: [3, 2, 1], sum: 7.25 }]
  t.equal(
    expose([{ name: 'h', help: 'H', type: 'histogram', samples }]),
    `# HELP h H
# TYPE h histogram
h_bucket{kind="read",le="0.001"} 3
h_bucket{kind="read",le="0.5"} 5
h_bucket{kind="read",le="+Inf"} 6
h_sum{kind="read"} 7.25
h_count{kind="read"} 6
`,
  )
  t.end()
})
