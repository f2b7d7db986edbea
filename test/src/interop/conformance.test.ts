// libiscsi's conformance suite against the server, on a persistent target that two sessions can share. Every suite that the
// tool knows is either picked, and then each of its tests has to pass, or named below with the reason why it is not. A
// test that the tool skips counts as passed only if the table says why; a skip that has gone must leave the table.

import t from 'tap'
import { listTests, parseReport, runSuite } from '../harness/iscsi-test-cu.js'
import { withServer } from '../harness/server.js'

const picked = [
  'Inquiry',
  'Mandatory',
  'ModeSense6',
  'MultipathIO.Reset',
  'MultipathIO.Simple',
  'NoMedia',
  'Read10',
  'Read12',
  'Read16',
  'Read6',
  'ReadCapacity10',
  'ReadCapacity16',
  'ReadOnly',
  'StartStopUnit',
  'TestUnitReady',
  'Verify10',
  'Verify12',
  'Verify16',
  'Write10',
  'Write12',
  'Write16',
  'iSCSIResiduals',
  'iSCSITMF',
  'iSCSIcmdsn',
  'iSCSIdatasn',
]

/**
 * Suites, or single tests of a suite, that are not run. Most of them need a command that the server does not have: it answers
 * 5/20/00, and the tool skips.
 */
const leftOut = [
  // These two need COMPARE AND WRITE, and pass without a word where it is missing.
  'MultipathIO.CompareAndWrite',
  'MultipathIO.CompareAndWriteAsync',
  'CompareAndWrite',
  'ExtendedCopy',
  'GetLBAStatus',
  'OrWrite',
  'Prefetch10',
  'Prefetch16',
  'PreventAllow',
  'PrinReadKeys',
  'PrinReportCapabilities',
  'PrinServiceactionRange',
  'ProutClear',
  'ProutPreempt',
  'ProutRegister',
  'ProutReserve',
  'ReadDefectData10',
  'ReadDefectData12',
  'ReceiveCopyResults',
  'ReportSupportedOpcodes',
  'Reserve6',
  'Sanitize',
  'Unmap',
  'WriteAtomic16',
  'WriteSame10',
  'WriteSame16',
  'WriteVerify10',
  'WriteVerify12',
  'WriteVerify16',
]

/** Tests that the tool skips in whole or in part, and why that is right here. */
const skips: Readonly<Record<string, string>> = {
  'Inquiry.BlockLimits': 'its last part is about thin provisioning, and the disk is fully provisioned',
  'ReadOnly.ReadOnlySBC': 'the disk can be written to',
  'StartStopUnit.Simple': 'the medium cannot be ejected',
  'iSCSIResiduals.WriteVerify10Residuals': 'there is no WRITE AND VERIFY',
  'iSCSIResiduals.WriteVerify12Residuals': 'there is no WRITE AND VERIFY',
  'iSCSIResiduals.WriteVerify16Residuals': 'there is no WRITE AND VERIFY',
}

t.test('the report of the suite is read as it stands', async t => {
  const report = `Suite: Read10
  Test: Simple ...passed
  Test: BeyondEol ...    [SKIPPED] no reason
passed
    [SKIPPED] on the suite's way out
Suite: Verify10
  Test: Mismatch ...    [FAILED] VERIFY10 successful but should have failed
FAILED
    1. test_verify10_mismatch.c:61  - CU_ASSERT_EQUAL(_r,0)
    2. test_verify10_mismatch.c:70  - CU_ASSERT_EQUAL(_r,0)

Run Summary:    Type  Total    Ran Passed Failed Inactive
`
  t.same(parseReport(report), [
    { name: 'Read10.Simple', passed: true, skipped: [], faults: [] },
    { name: 'Read10.BeyondEol', passed: true, skipped: ['no reason'], faults: [] },
    {
      name: 'Verify10.Mismatch',
      passed: false,
      skipped: [],
      faults: [
        'test_verify10_mismatch.c:61  - CU_ASSERT_EQUAL(_r,0)',
        'test_verify10_mismatch.c:70  - CU_ASSERT_EQUAL(_r,0)',
      ],
    },
  ])
})

t.test('libiscsi conformance', async t => {
  const known = await listTests()
  const among = (list: readonly string[]) => (name: string) =>
    list.includes(name) || list.includes(name.split('.')[0] ?? '')
  const undecided = known.filter(name => among(picked)(name) === among(leftOut)(name))
  t.same(undecided, [], 'every test is either picked or left out for a reason')

  const config = { targets: [{ name: 'conformance', auth: 'none', luns: [{ sizeBytes: 64 << 20 }] }] }
  await withServer(t, { config }, async server => {
    const url = server.url('conformance')
    for (const pick of picked) {
      const verdicts = await runSuite(pick, [url, url])
      const expected = known.filter(among([pick]))
      t.same(verdicts.map(verdict => verdict.name).toSorted(), expected.toSorted(), `${pick}: all its tests ran`)
      for (const { name, passed, skipped, faults } of verdicts) {
        t.ok(passed, `${name} passes`, { faults })
        const reason = skips[name]
        t.equal(skipped.length > 0, reason !== undefined, `${name}: ${reason ?? 'not skipped'}`, { skipped })
      }
    }
  })
})
