// Properties of every command that takes a parameter list: whatever length the CDB names and whatever bytes come, however few of
// them, the answer is a condition or work within the unit. Nothing throws [SPC-4 §4.2.5.5].
//
// The commands are found in the table, by CDBs that ask for a parameter list; a new one is under test as soon as it is there.

import fc from 'fast-check'
import t from 'tap'
import { commandTable } from './command-table.js'
import { dispatch } from './dispatch.js'
import type { Outcome } from './outcome.js'
import { encodeSense } from './sense.js'
import { contextOf, disk } from './test-fixture.js'

/** Lists that are right, by operation code and service action: what is cut and changed to make others. */
const lists: Readonly<Record<string, string>> = {
  // MODE SELECT: a header, then the Caching page with WCE.
  '15': '00000000 0812040000000000000000000000000000000000',
  '55': '0000000000000000 0812040000000000000000000000000000000000',
  // UNMAP: two descriptors.
  '42': '00260020 00000000 0000000000000010 00000008 00000000 0000000000000020 00000008 00000000',
  // SANITIZE, OVERWRITE: once, with a pattern of four bytes.
  '48/1': '01000004 a55aa55a',
  // SET TARGET PORT GROUPS: group 1 active/optimized.
  'a4/a': '00000000 00000001',
}

interface Row {
  readonly name: string
  readonly key: string
  readonly opcode: number
  readonly action: number
  readonly size: number
}

const rows: readonly Row[] = Object.entries(commandTable).flatMap(([opcode, entry]) => {
  const code = Number(opcode).toString(16).padStart(2, '0')
  if (!('serviceActions' in entry))
    return [{ name: entry.name, key: code, opcode: Number(opcode), action: 0, size: entry.cdb.size }]
  return Object.entries(entry.serviceActions).map(([action, { name, cdb }]) => ({
    name,
    key: `${code}/${Number(action).toString(16)}`,
    opcode: Number(opcode),
    action: Number(action),
    size: cdb.size,
  }))
})

/** CDBs of a command with a small number in each place where a length may be: those that make it ask for a parameter list. */
function askers({ key, opcode, action, size }: Row): { cdb: Buffer; lengthBytes: number }[] {
  const flagged = key.includes('/') ? [0] : [0, 0x10]
  return flagged.flatMap(flags =>
    Array.from({ length: size - 3 }, (_, index) => index + 2).flatMap(at =>
      [1, 4, 8, 20, 24, 28, 40, 120, 255].flatMap(length => {
        const cdb = Buffer.alloc(16)
        cdb[0] = opcode
        cdb[1] = action | flags
        cdb[at] = length
        const outcome = dispatch(cdb, 0, contextOf())
        return outcome.kind === 'parameterOut' ? [{ cdb, lengthBytes: outcome.lengthBytes }] : []
      }),
    ),
  )
}

const asking = rows.flatMap(row => {
  const cdbs = askers(row)
  return cdbs.length === 0 ? [] : [{ row, cdbs }]
})

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex')
}

/** A right list with some bytes changed, or any bytes, cut anywhere. */
function listFor(key: string): fc.Arbitrary<Buffer> {
  const right = bytesOf(lists[key] ?? '')
  const any = fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes))
  const sparse = fc
    .array(fc.constantFrom(0, 0, 0, 1, 2, 8, 0x10, 0xff), { maxLength: 80 })
    .map(bytes => Buffer.from(bytes))
  if (right.length === 0) return fc.oneof(any, sparse)
  const damaged = fc
    .tuple(fc.array(fc.tuple(fc.nat(right.length - 1), fc.nat(255)), { maxLength: 3 }), fc.nat(right.length))
    .map(([changes, length]) => {
      const list = Buffer.from(right)
      for (const [at, value] of changes) list[at] = value
      return list.subarray(0, length)
    })
  return fc.oneof({ weight: 3, arbitrary: damaged }, any, sparse)
}

/** Blocks that lie on the unit, as far as an outcome, or a range in it, names some. */
function onTheUnit(part: unknown): boolean {
  if (typeof part !== 'object' || part === null || Buffer.isBuffer(part)) return true
  const { lba, blocks } = part as { lba?: unknown; blocks?: unknown }
  if (
    typeof lba === 'number' &&
    typeof blocks === 'number' &&
    (lba < 0 || blocks < 0 || lba + blocks > disk.sizeBlocks)
  )
    return false
  return Object.values(part).every(onTheUnit)
}

function proper(outcome: Outcome): boolean {
  if (outcome.kind === 'parameterOut') return false
  if (outcome.kind !== 'status') return onTheUnit(outcome)
  if (outcome.status === 0) return outcome.sense === undefined
  return outcome.status === 2 && outcome.sense !== undefined && encodeSense(outcome.sense, 'fixed').length === 18
}

t.ok(asking.length > 0, `${asking.length} commands take a parameter list`)

for (const {
  row: { name, key },
  cdbs,
} of asking) {
  t.test(`${name}: no list throws or reaches beyond the unit [SPC-4 §4.2.5.5]`, async t => {
    let tried = 0
    fc.assert(
      fc.property(fc.constantFrom(...cdbs), listFor(key), ({ cdb, lengthBytes }, list) => {
        const outcome = dispatch(cdb, 0, contextOf())
        if (outcome.kind !== 'parameterOut') return false
        tried++
        return proper(outcome.apply(list.subarray(0, lengthBytes)))
      }),
      { numRuns: 1500 },
    )
    t.ok(tried > 1000, `${tried} lists`)
  })

  t.test(`${name}: a right list cut at every byte [SPC-4 §4.2.5.5]`, async t => {
    const right = bytesOf(lists[key] ?? '00'.repeat(64))
    const improper: string[] = []
    for (const { cdb } of cdbs) {
      for (let length = 0; length <= right.length; length++) {
        const outcome = dispatch(cdb, 0, contextOf())
        const list = right.subarray(0, length)
        if (outcome.kind !== 'parameterOut' || !proper(outcome.apply(list.subarray(0, outcome.lengthBytes))))
          improper.push(`${cdb.toString('hex')} with ${list.toString('hex')}`)
      }
    }
    t.same(improper, [])
  })
}
