// What is written is read back equal, whatever was negotiated and however the data is cut [7143 §4.2.4, §13].

import { cdb, Initiator } from '@scsipub/testkit'
import fc from 'fast-check'
import t from 'tap'
import { withServer } from '../harness/server.js'
import { BLANK, BLOCK, content, portal } from './lab.js'

const yesOrNo = fc.constantFrom('Yes', 'No')
/** Odd lengths too: the standard does not ask for multiples of anything. */
const length = fc.oneof(fc.constantFrom(512, 4096, 65536), fc.integer({ min: 512, max: 20_000 }))
const digest = fc.constantFrom('None', 'CRC32C')
const parameters = fc.record({
  keys: fc.record({
    InitialR2T: yesOrNo,
    ImmediateData: yesOrNo,
    MaxBurstLength: length.map(String),
    FirstBurstLength: length.map(String),
    MaxRecvDataSegmentLength: length.map(String),
    MaxOutstandingR2T: fc.integer({ min: 1, max: 8 }).map(String),
    HeaderDigest: digest,
    DataDigest: digest,
  }),
  /** Of our Data-Out PDUs. */
  segment: length,
  writes: fc.array(
    fc.record({ lba: fc.integer({ min: 0, max: 300 }), blocks: fc.integer({ min: 1, max: 200 }), seed: fc.nat() }),
    { minLength: 1, maxLength: 4 },
  ),
})

const SPAN = 500

await withServer(t, {}, async server => {
  await t.test('written data is read back equal for all combinations of keys [7143 §13]', async t => {
    const property = fc.asyncProperty(parameters, async ({ keys, segment, writes }) => {
      const initiator = await Initiator.login(portal(server), { target: BLANK, keys })
      try {
        const { agreed } = initiator
        initiator.longestSegment = Math.min(segment, agreed.targetMaxRecvDataSegmentLength)
        const model = Buffer.alloc(SPAN * BLOCK)
        for (const { lba, blocks, seed } of writes) {
          const data = content(blocks * BLOCK, seed)
          const { status, r2ts } = await initiator.executeWrite(cdb.write10(lba, blocks), data)
          if (status !== 0) throw new Error(`the write ended with status ${status}`)
          const asked = r2ts.reduce((sum, one) => sum + one.desiredDataTransferLength, 0)
          const unasked = agreed.initialR2T
            ? agreed.immediateData
              ? Math.min(data.length, agreed.firstBurstLength, agreed.targetMaxRecvDataSegmentLength)
              : 0
            : Math.min(data.length, agreed.firstBurstLength)
          if (asked !== data.length - unasked)
            throw new Error(`${asked} bytes asked for, ${unasked} sent of ${data.length}`)
          data.copy(model, lba * BLOCK)
        }
        if (!(await initiator.read(0, SPAN)).equals(model)) throw new Error('something else is read back')
      } finally {
        await initiator.close()
      }
    })
    await t.resolves(fc.assert(property, { numRuns: 120, examples: [] }))
  })
})
