// EXTENDED COPY on units that fail when they are told to [SPC-4 §5.17.7], and its pieces.

import { type BlockSegment, type ExtendedCopy, senseCodes, THIS_UNIT, unitDesignators } from '@scsipub/scsi'
import t from 'tap'
import { CopyRun, PIECE_BYTES } from './copy-run.js'
import { extendedCopy } from './extended-copy.js'
import { failureOf, MemoryUnit } from './fixtures/memory-unit.js'

const BLOCKS = (4 * PIECE_BYTES) / 512
const segment: BlockSegment = {
  source: 0,
  destination: 1,
  blocks: BLOCKS,
  countsDestination: false,
  sourceLba: 0,
  destinationLba: 0,
}

function copyOf(units: readonly MemoryUnit[], segments: readonly BlockSegment[]) {
  const job: ExtendedCopy = {
    kind: 'extendedCopy',
    immediate: false,
    listIdentifier: 1,
    listBytes: 0,
    units: units.map(({ lu }, index) => ({
      at: 16 + 32 * index,
      nul: false,
      peripheralDeviceType: 0,
      designation: unitDesignators(lu)[0],
      blockBytes: lu.blockBytes,
    })),
    segments,
  }
  const command = { initiatorTaskTag: 1, lun: undefined, reads: false, writes: true, expectedBytes: 0 }
  const task = {
    command: { ...command, final: true, immediate: false, dataSn: 0, kept: false, io: 0 as const, beganUs: 0 },
    aborted: false,
    pending: undefined,
    run: () => {},
  }
  const run = new CopyRun(units[0]!, job, task)
  const luns = new Map(units.map(unit => [unit.lun, unit]))
  return { run, job, luns, task, start: () => extendedCopy(run, job, luns) }
}

function twoUnits(slow = false): [MemoryUnit, MemoryUnit] {
  const source = new MemoryUnit({ lun: 0, blocks: 2 * BLOCKS, slow })
  for (let at = 0; at < source.data.length; at++) source.data[at] = (at >>> 9) ^ at
  return [source, new MemoryUnit({ lun: 1, blocks: 2 * BLOCKS, slow })]
}

t.test('a segment is copied in pieces, whether the units take their time or not', async t => {
  for (const slow of [false, true]) {
    const [source, destination] = twoUnits(slow)
    const { run, start } = copyOf([source, destination], [{ ...segment, blocks: BLOCKS + 3, destinationLba: 5 }])
    await start()
    const bytes = (BLOCKS + 3) * 512
    t.ok(destination.data.subarray(5 * 512, 5 * 512 + bytes).equals(source.data.subarray(0, bytes)))
    t.same(
      source.seen,
      [0, 1, 2, 3].map(piece => `read ${piece * PIECE_BYTES} ${PIECE_BYTES}`).concat(`read ${4 * PIECE_BYTES} 1536`),
    )
    t.match(run.report(), { segmentsProcessed: 1, bytes, operations: 5, state: 'inForeground' })
  }
})

t.test(
  'a source that cannot be read: its sense, the segment, the blocks that are missing [SPC-4 §5.17.7.3]',
  async t => {
    const [source, destination] = twoUnits()
    source.failAt = 5
    const { run, start } = copyOf([source, destination], [segment, { ...segment, destinationLba: BLOCKS }])
    t.same(await failureOf(start()), {
      code: senseCodes.thirdPartyDeviceFailure,
      copy: { segment: 1, failed: { unit: 'source', sense: { code: senseCodes.unrecoveredReadError } } },
      information: BigInt((3 * BLOCKS) / 4),
    })
    t.match(run.report(), { segmentsProcessed: 1, bytes: 5 * PIECE_BYTES })
    t.equal(destination.seen.length, 5, 'nothing is written that was not read')
  },
)

t.test('a destination that cannot be written; before the first piece no blocks are told [SPC-4 §5.17.7.3]', async t => {
  const [source, destination] = twoUnits()
  destination.failAt = 0
  t.same(await failureOf(copyOf([source, destination], [segment]).start()), {
    code: senseCodes.thirdPartyDeviceFailure,
    copy: { segment: 0, failed: { unit: 'destination', sense: { code: senseCodes.writeError } } },
  })
})

t.test('an aborted copy stops before its next piece, one whose unit was reset fails there', async t => {
  const [source, destination] = twoUnits()
  const aborted = copyOf([source, destination], [segment])
  const copying = aborted.start()
  aborted.task.aborted = true
  await t.rejects(copying)
  t.same([source.seen, destination.seen], [[], []])
  t.equal(aborted.run.report().state, 'terminated')
  const interrupted = copyOf([source, destination], [segment])
  t.ok(interrupted.run.uses(destination))
  t.notOk(interrupted.run.uses(new MemoryUnit({ lun: 2, blocks: 1 })))
  interrupted.run.interrupt()
  t.match(await failureOf(interrupted.start()), { code: senseCodes.thirdPartyDeviceFailure, copy: { segment: 0 } })
  t.same([source.seen, destination.seen], [[], []])
})

t.test('units as descriptors name them: none, another kind, another size of blocks [SPC-4 §6.4.5]', async t => {
  const [source, destination] = twoUnits()
  const failing = async (change: Partial<ExtendedCopy['units'][number]>) => {
    const { run, job, luns } = copyOf([source, destination], [segment])
    const units = [job.units[0]!, { ...job.units[1]!, ...change }]
    return failureOf(extendedCopy(run, { ...job, units }, luns))
  }
  t.match(await failing({ nul: true }), { code: senseCodes.unreachableCopyTarget })
  t.match(await failing({ peripheralDeviceType: 1 }), {
    code: senseCodes.incorrectCopyTargetType,
    field: { in: 'parameterList', byte: 49 },
  })
  t.match(await failing({ blockBytes: 4096 }), {
    code: senseCodes.incorrectCopyTargetType,
    field: { in: 'parameterList', byte: 77 },
  })
  t.same(destination.seen, [])
  const readOnly = new MemoryUnit({ lun: 1, blocks: BLOCKS, readOnly: true })
  const refused = copyOf([source, readOnly], [segment])
  t.match(await failureOf(refused.start()), { copy: { failed: { sense: { code: senseCodes.writeProtected } } } })
  const self = copyOf([source, destination], [{ ...segment, destination: THIS_UNIT, destinationLba: BLOCKS }])
  await self.start()
  t.ok(source.data.subarray(BLOCKS * 512).equals(source.data.subarray(0, BLOCKS * 512)))
})
