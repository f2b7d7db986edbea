// Properties of EXTENDED COPY: any segments do what moving memory does, and whatever a parameter list says, nothing outside of the session's
// units is touched.

import { extendedCopyList, unitDesignators } from '@scsipub/scsi'
import fc from 'fast-check'
import t from 'tap'
import { CopyFailed } from './copy-failure.js'
import { CopyRun } from './copy-run.js'
import { extendedCopy } from './extended-copy.js'
import { copyList } from './fixtures/copy-list.js'
import { MemoryUnit } from './fixtures/memory-unit.js'

const BLOCKS = 3000
const command = { initiatorTaskTag: 1, lun: undefined, reads: false, writes: true, expectedBytes: 0 }

function units(): MemoryUnit[] {
  return [0, 1].map(lun => {
    const unit = new MemoryUnit({ lun, blocks: BLOCKS })
    for (let at = 0; at < unit.data.length; at += 4) unit.data.writeUInt32LE((at ^ (lun << 30)) >>> 0, at)
    return unit
  })
}

/** Does what the list asks for, on the units of a session; false when it was refused or failed. */
async function carryOut(list: Buffer, own: readonly MemoryUnit[]): Promise<boolean> {
  const outcome = extendedCopyList(list)
  if (outcome.kind !== 'copy' || outcome.job.kind !== 'extendedCopy') return false
  const task = {
    command: { ...command, final: true, immediate: false, dataSn: 0, kept: false, io: 0 as const, beganUs: 0 },
    aborted: false,
    pending: undefined,
    run: () => {},
  }
  const run = new CopyRun(own[0]!, outcome.job, task)
  try {
    await extendedCopy(run, outcome.job, new Map(own.map(unit => [unit.lun, unit])))
    return true
  } catch (error) {
    if (error instanceof CopyFailed) return false
    throw error
  }
}

t.test('segments do what moving memory does, one after the other [SPC-4 §6.4.6.4]', async () => {
  const segment = fc.record({
    source: fc.nat(1),
    destination: fc.nat(1),
    blocks: fc.oneof(fc.nat(20), fc.nat(1500)),
    sourceLba: fc.nat(1500),
    destinationLba: fc.nat(1500),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(segment, { maxLength: 4 }), async segments => {
      const own = units()
      const model = own.map(({ data }) => Buffer.from(data))
      for (const { source, destination, blocks, sourceLba, destinationLba } of segments)
        model[source]!.copy(model[destination]!, destinationLba * 512, sourceLba * 512, (sourceLba + blocks) * 512)
      const list = copyList(
        own.map(({ lu }) => unitDesignators(lu)[0]),
        segments,
      )
      return (await carryOut(list, own)) && own.every(({ data }, index) => data.equals(model[index]!))
    }),
    { numRuns: 80 },
  )
})

t.test('a damaged list never throws, and never touches a unit that the session does not have', async t => {
  const [first, second] = units()
  const stranger = new MemoryUnit({ lun: 7, blocks: BLOCKS })
  const designations = [first!, stranger, second!].map(({ lu }) => unitDesignators(lu)[0])
  const whole = copyList(designations, [
    { source: 0, destination: 2, blocks: 3, sourceLba: 5, destinationLba: 9 },
    { source: 2, destination: 0, blocks: 3, sourceLba: 5, destinationLba: 9 },
  ])
  const before = Buffer.from(stranger.data)
  const verdicts = new Set<boolean>()
  const change = fc.tuple(fc.nat(whole.length - 1), fc.oneof(fc.nat(3), fc.nat(255)))
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 3 }), async changes => {
      const list = Buffer.from(whole)
      for (const [at, value] of changes) list[at] = value
      verdicts.add(await carryOut(list, [first!, second!]))
      return stranger.seen.length === 0 && stranger.data.equals(before)
    }),
    { numRuns: 1_500 },
  )
  t.same([...verdicts].sort(), [false, true], 'some lists were still good')
})
