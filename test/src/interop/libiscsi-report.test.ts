// How the report of libiscsi's conformance suite is read, and how several reports are put together.

import t from 'tap'
import { parseReport } from '../harness/iscsi-test-cu.js'
import { mergeVerdicts } from '../harness/merge-verdicts.js'

const REPORT = `    Send INQUIRY (Expecting SUCCESS) evpd:0 page_code:00 alloc_len:64
Suite: Read10
  Test: Simple ...passed
  Test: BeyondEol ...    [SKIPPED] no reason
passed
    [SKIPPED] on the suite's way out
Suite: Verify10
  Test: Mismatch ...    [FAILED] VERIFY10 successful but should have failed
FAILED
    1. test_verify10_mismatch.c:61  - CU_ASSERT_EQUAL(_r,0)
    2. test_verify10_mismatch.c:70  - CU_ASSERT_EQUAL(_r,0)
Suite: ModeSense6
  Test: Control-SWP ...
    Set SWP to enable write protect
    SWP is not changeable
passed

Run Summary:    Type  Total    Ran Passed Failed Inactive
`

t.test('the report is read as it stands', async t => {
  t.same(parseReport(REPORT), [
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
    { name: 'ModeSense6.Control-SWP', passed: true, skipped: ['nothing done, without a word'], faults: [] },
  ])
})

t.test('a test in which the tool ended has not passed', async t => {
  const cut = 'Suite: Read10\n  Test: Simple ...passed\n  Test: BeyondEol ...\n    Send READ10\n'
  t.same(
    parseReport(cut).map(({ passed }) => passed),
    [true, false],
  )
})

t.test('a test has passed when one unit went through all of it and none failed', async t => {
  const verdict = (name: string, skipped: string[] = [], faults: string[] = []) => ({
    name,
    skipped,
    faults,
    passed: faults.length === 0,
  })
  const merged = mergeVerdicts(['A', 'B', 'C', 'D'], {
    fixed: [verdict('A', ['not removable']), verdict('B'), verdict('C', ['no'])],
    removable: [verdict('A'), verdict('B', [], ['line 1']), verdict('C', ['neither'])],
  })
  t.same(merged, [
    { name: 'A', passedOn: ['removable'], failedOn: {}, skippedOn: { fixed: ['not removable'] } },
    { name: 'B', passedOn: ['fixed'], failedOn: { removable: ['line 1'] }, skippedOn: {} },
    { name: 'C', passedOn: [], failedOn: {}, skippedOn: { fixed: ['no'], removable: ['neither'] } },
    { name: 'D', passedOn: [], failedOn: {}, skippedOn: {} },
  ])
})
