/**
 * Metrics as Prometheus reads them, its text format 0.0.4: families of samples, each with its help, type and labels. What a family is called, and what it
 * counts, stands where it is made; here is only how it is written.
 */

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export type Labels = Readonly<Record<string, string | number>>

export interface Sample {
  readonly labels?: Labels
  readonly value: number
}

/** A histogram: counts by bucket (`bounds` has one less, the last bucket has none), and the sum of all values. */
export interface HistogramSample {
  readonly labels?: Labels
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
  readonly sum: number
}

export type Family =
  | {
      readonly name: string
      readonly help: string
      readonly type: 'counter' | 'gauge'
      readonly samples: readonly Sample[]
    }
  | {
      readonly name: string
      readonly help: string
      readonly type: 'histogram'
      readonly samples: readonly HistogramSample[]
    }

/** A family with one sample without labels, or with several. */
export function gauge(name: string, help: string, samples: number | readonly Sample[]): Family {
  return { name, help, type: 'gauge', samples: asSamples(samples) }
}

/** As `gauge`, of what only grows while the server runs. */
export function counter(name: string, help: string, samples: number | readonly Sample[]): Family {
  return { name, help, type: 'counter', samples: asSamples(samples) }
}

/** All families as text. */
export function expose(families: readonly Family[]): string {
  return families.map(textOf).join('')
}

function asSamples(samples: number | readonly Sample[]): readonly Sample[] {
  return typeof samples === 'number' ? [{ value: samples }] : samples
}

function textOf(family: Family): string {
  const { name, help, type } = family
  const lines =
    family.type === 'histogram'
      ? family.samples.flatMap(sample => histogramLines(name, sample))
      : family.samples.map(({ labels, value }) => lineOf(name, labels, value))
  return `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

function histogramLines(name: string, { labels, bounds, counts, sum }: HistogramSample): string[] {
  let total = 0
  const buckets = [...bounds, Number.POSITIVE_INFINITY].map((bound, index) => {
    total += counts[index] ?? 0
    return lineOf(`${name}_bucket`, { ...labels, le: numberText(bound) }, total)
  })
  return [...buckets, lineOf(`${name}_sum`, labels, sum), lineOf(`${name}_count`, labels, total)]
}

function lineOf(name: string, labels: Labels = {}, value: number): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escaped(String(value))}"`)
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${numberText(value)}\n`
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (Number.isFinite(value)) return String(value)
  return value > 0 ? '+Inf' : '-Inf'
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
