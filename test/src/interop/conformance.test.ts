// libiscsi's whole conformance suite against every kind of logical unit, each on a persistent target that two sessions share.
// No unit fails a test, and each test has been gone through on some unit. A skip on one unit is right only where the test asks
// for another kind of device.
//
// The run is also what docs/conformance.md says: compared here, or written when CONFORMANCE is `write`.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { commandRows } from '../conformance/commands.js'
import { conformanceDocument } from '../conformance/document.js'
import { exchangeKeys, type KeyReport } from '../conformance/key-exchanges.js'
import { listTests, runSuite, type Verdict } from '../harness/iscsi-test-cu.js'
import { type Merged, mergeVerdicts } from '../harness/merge-verdicts.js'
import { iqn, type Server, withServer } from '../harness/server.js'
import { ROOT } from '../repository.js'

interface Kind {
  /** Name of the target. */
  readonly name: string
  /** What it is, for the reader. */
  readonly what: string
  /** Its LUN in the configuration. */
  readonly lun: Readonly<Record<string, unknown>>
  /** The suites that make sense on such a unit; all unless told. */
  readonly suites?: readonly string[]
  /** What the tool says when a test asks for another kind of device. */
  readonly skips: readonly RegExp[]
}

const SIZE_BYTES = 64 << 20

/** On a disk that cannot be written to: the suites that do not write. */
const READING = [
  'Inquiry',
  'Mandatory',
  'ModeSense6',
  'Prefetch10',
  'Prefetch16',
  'Read6',
  'Read10',
  'Read12',
  'Read16',
  'ReadCapacity10',
  'ReadCapacity16',
  'ReadDefectData10',
  'ReadDefectData12',
  'ReadOnly',
  'ReportSupportedOpcodes',
  'TestUnitReady',
  'Verify10',
  'Verify12',
  'Verify16',
]

/** Run by itself: in one run the test before it leaves the second session 6/28/00, of the medium it loaded, which this one does not expect. */
const ALONE = ['PreventAllow.2ITNexuses']

/** Not of the other units: it wants to meet the operation some five seconds after its beginning, and waits a minute for its end then. */
const ONLY_LARGE = ['Sanitize.Reset']

const NOT_REMOVABLE = /not removable/
const NOT_WRITE_PROTECTED = /not write-protected/

/** Physical blocks are logical ones: nothing has to be aligned. */
const NOT_ALIGNED = [/LBPPB/i, /No (alignment|granularity) restrictions/]
/** Where blocks can be given back, a WRITE SAME says how many it means. */
const NO_OPEN_LENGTH = /does not support 0-blocks/

/** Fully provisioned: nothing can be given back, so there is no command for it, and no need to ask what is mapped. */
const NOT_THIN = /fully provisioned/
const OF_THIN_UNITS = [
  /UNMAP is not implemented/,
  /GET_?LBA_?STATUS is not implemented/,
  /(BLOCK|CRYPTO)_ERASE is not implemented/,
]

const kinds: readonly Kind[] = [
  {
    name: 'ordinary',
    what: 'thinly provisioned, blocks of 512 bytes',
    lun: { sizeBytes: SIZE_BYTES },
    skips: [NOT_REMOVABLE, NOT_WRITE_PROTECTED, NO_OPEN_LENGTH, ...NOT_ALIGNED],
  },
  {
    name: 'full',
    what: 'fully provisioned',
    lun: { sizeBytes: SIZE_BYTES, thin: false },
    skips: [NOT_REMOVABLE, NOT_WRITE_PROTECTED, NOT_THIN, ...NOT_ALIGNED, ...OF_THIN_UNITS],
  },
  {
    name: 'removable',
    what: 'a medium that can be ejected',
    lun: { sizeBytes: SIZE_BYTES, removable: true },
    skips: [NOT_WRITE_PROTECTED, NO_OPEN_LENGTH, ...NOT_ALIGNED],
  },
  {
    name: 'blocks-of-4096',
    what: 'blocks of 4096 bytes',
    lun: { sizeBytes: SIZE_BYTES, blockBytes: 4096 },
    skips: [NOT_REMOVABLE, NOT_WRITE_PROTECTED, NO_OPEN_LENGTH, ...NOT_ALIGNED],
  },
  {
    name: 'physical-blocks',
    what: 'physical blocks of 4096 bytes, of eight logical ones each; only the suites that ask for it',
    lun: { sizeBytes: SIZE_BYTES, physicalBlockBytes: 4096 },
    suites: ['CompareAndWrite', 'WriteAtomic16', 'WriteSame10', 'WriteSame16'],
    skips: [NO_OPEN_LENGTH],
  },
  {
    name: 'large',
    what: 'so large that overwriting it takes a while; only the test that resets it meanwhile',
    lun: { sizeBytes: 2 ** 31 },
    suites: ['Sanitize.Reset'],
    skips: [],
  },
  {
    name: 'read-only',
    what: 'cannot be written to; only the suites that do not write',
    lun: { sizeBytes: SIZE_BYTES, readOnly: true },
    suites: READING,
    skips: [NOT_REMOVABLE],
  },
]

t.test('conformance', async t => {
  const known = await listTests()
  t.ok(known.length >= 230, 'the whole suite is there', { known: known.length })

  const targets = kinds.map(({ name, lun }) => ({ name, auth: 'none', luns: [lun] }))
  await withServer(t, { config: { targets } }, async server => {
    // Side by side: the tool mostly waits.
    const verdicts = await Promise.all(kinds.map(kind => run(server, kind)))
    const runs = Object.fromEntries(kinds.map(({ name }, index) => [name, verdicts[index]!]))
    const libiscsi = mergeVerdicts(known, runs)
    for (const merged of libiscsi) judge(t, merged)
    const keys = await exchangeKeys({ host: '127.0.0.1', port: server.port }, iqn('ordinary'))
    for (const key of keys) judgeKey(t, key)
    document(t, libiscsi, keys)
  })
})

/** What the run says, as docs/conformance.md has it. */
function document(t: Test, libiscsi: readonly Merged[], keys: readonly KeyReport[]): void {
  const suites = [...new Set(libiscsi.map(({ name }) => name.split('.')[0] ?? name))]
  const commands = commandRows(suites)
  const unshown = commands.filter(({ suites, files }) => suites.length + files.length === 0).map(({ name }) => name)
  t.same(unshown, [], 'some test is about each command')
  const text = conformanceDocument({
    commands,
    keys,
    libiscsi,
    units: kinds,
  })
  const file = join(ROOT, 'docs/conformance.md')
  if (process.env.CONFORMANCE === 'write') writeFileSync(file, text)
  t.equal(readFileSync(file, 'utf8'), text, 'docs/conformance.md is what this run gives: npm run conformance')
}

function judgeKey(t: Test, { name, spec, exchanges }: KeyReport): void {
  for (const { offered, answered, expected } of exchanges) {
    t.equal(answered, expected, `${name}=${offered} [7143 ${spec}]`)
  }
}

async function run(server: Server, { name, suites }: Kind): Promise<Verdict[]> {
  const urls = [server.url(name), server.url(name)]
  if (suites === undefined) {
    const elsewhere = [...ALONE, ...ONLY_LARGE]
    const rest = (await runSuite(urls)).filter(verdict => !elsewhere.includes(verdict.name))
    for (const test of ALONE) rest.push(...(await runSuite(urls, test)))
    return rest
  }
  const verdicts: Verdict[] = []
  for (const suite of suites) verdicts.push(...(await runSuite(urls, suite)))
  return verdicts
}

function judge(t: Test, { name, passedOn, failedOn, skippedOn }: Merged): void {
  t.same(failedOn, {}, `${name} fails nowhere`)
  t.not(passedOn.length, 0, `${name} passes on some unit`, { skippedOn })
  for (const [unit, reasons] of Object.entries(skippedOn)) {
    const right = kinds.find(kind => kind.name === unit)?.skips ?? []
    const wrong = reasons.filter(reason => !right.some(pattern => pattern.test(reason)))
    t.same(wrong, [], `${name} is skipped on the ${unit} unit only for what that is not`)
  }
}
