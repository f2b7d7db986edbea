// Properties of every command in the table: reserved bits, allocation lengths, any bytes at all [SPC-4 §4.2].

import fc from 'fast-check'
import t from 'tap'
import type { Command } from './command.js'
import { commandTable } from './command-table.js'
import { dispatch } from './dispatch.js'
import type { LogicalUnit } from './logical-unit.js'
import { REPORT_LUNS_WLUN } from './lun.js'
import { transferDirection, transferLengthBytes } from './outcome.js'
import type { ProvisionOperation } from './provision-operation.js'
import { encodeSense } from './sense.js'
import { senseCodes } from './sense-codes.js'
import { cdbOf, contextOf, dataOf, disk, failsWith, nowhere } from './test-fixture.js'

/** Every command with a CDB of it that is all zero otherwise. */
const all: { command: Command; cdb: Buffer }[] = Object.entries(commandTable).flatMap(([opcode, entry]) => {
  const rows: [number, Command][] =
    'serviceActions' in entry
      ? Object.entries(entry.serviceActions).map(([action, row]) => [Number(action), row])
      : [[0, entry]]
  return rows.map(([action, command]) => {
    const cdb = Buffer.alloc(16)
    cdb[0] = Number(opcode)
    cdb[1] = action
    return { command, cdb }
  })
})

/** Where the ALLOCATION LENGTH is, and how many bytes of data there are: counted here by hand, as a second opinion. */
const dataInCommands: [name: string, cdb: string, at: number, bytes: number, fullLength: number][] = [
  ['INQUIRY', '12', 3, 2, 96],
  ['INQUIRY 00h', '12 01 00', 3, 2, 14],
  ['INQUIRY 83h', '12 01 83', 3, 2, 139],
  ['INQUIRY 8Fh', '12 01 8f', 3, 2, 372],
  ['RECEIVE COPY OPERATING PARAMETERS', '84 03', 10, 4, 46],
  ['INQUIRY B0h', '12 01 b0', 3, 2, 64],
  ['REQUEST SENSE', '03', 4, 1, 18],
  ['MODE SENSE(6)', '1a 00 3f', 4, 1, 68],
  ['MODE SENSE(10)', '5a 00 3f', 7, 2, 72],
  ['READ CAPACITY(16)', '9e 10', 10, 4, 32],
  ['READ DEFECT DATA(10)', '37', 7, 2, 4],
  ['READ DEFECT DATA(12)', 'b7', 6, 4, 8],
  ['REPORT LUNS', 'a0', 6, 4, 32],
  ['REPORT SUPPORTED OPERATION CODES', 'a3 0c', 6, 4, 4 + 8 * all.length],
]

t.test('every reserved bit of every command ends it with 5/24/00 and points at the bit [SPC-4 §4.2.2]', async t => {
  let tried = 0
  for (const { command, cdb } of all) {
    for (let at = 1; at < command.cdb.size; at++) {
      for (let bit = 0; bit < 8; bit++) {
        if ((command.cdb.reserved[at]! & (1 << bit)) === 0) continue
        const bad = Buffer.from(cdb)
        bad[at]! |= 1 << bit
        failsWith(t, dispatch(bad, 0, contextOf()), senseCodes.invalidFieldInCdb, {
          field: { in: 'cdb', byte: at, bit },
        })
        tried++
      }
    }
  }
  t.ok(tried > 200, `${tried} bits tried`)
})

t.test('a bit is reserved, used or ignored, never two of them; CONTROL is not used [SPC-4 §6.35.3]', async t => {
  for (const {
    command: { cdb, name },
  } of all) {
    t.ok([6, 10, 12, 16].includes(cdb.size), name)
    t.ok(
      cdb.usage.every((mask, at) => (mask & cdb.reserved[at]!) === 0),
      name,
    )
    t.equal(cdb.usage[cdb.size - 1], 0, name)
    t.equal(cdb.reserved[cdb.size - 1], 0x3f, name)
  }
})

t.test('bytes behind a short CDB do not matter [7143 §11.3.5]', async t => {
  const garbage = Buffer.alloc(16, 0xff)
  cdbOf('00 00 00 00 00 00').copy(garbage, 0, 0, 6)
  t.same(dispatch(garbage, 0, contextOf()), { kind: 'status', status: 0 })
})

t.test('data is cut to the ALLOCATION LENGTH and to nothing else [SPC-4 §4.2.5.6]', async t => {
  for (const [name, hex, at, bytes, fullLength] of dataInCommands) {
    const least = name === 'REPORT LUNS' ? 16 : 0
    const most = 2 ** (8 * bytes) - 1
    const whole = cdbOf(hex)
    whole.writeUIntBE(most, at, bytes)
    const full = Buffer.from(dataOf(dispatch(whole, 0, contextOf())))
    t.equal(full.length, fullLength, name)
    fc.assert(
      fc.property(fc.oneof(fc.integer({ min: least, max: 300 }), fc.integer({ min: least, max: most })), length => {
        const allocationLength = Math.min(length, most)
        const cdb = cdbOf(hex)
        cdb.writeUIntBE(allocationLength, at, bytes)
        return dataOf(dispatch(cdb, 0, contextOf())).equals(full.subarray(0, allocationLength))
      }),
    )
  }
})

t.test('any bytes give an outcome that holds together, for any unit', async t => {
  const removable = { ...disk, removable: true }
  // One CDB for every kind of outcome: which ones are met does not depend on the seed.
  const examples = [
    '00',
    '12 00 00 00 ff',
    '15 10 00 00 18',
    '16',
    '1b 00 00 00 02',
    '28 00 00000000 00 0001',
    '2a 00 00000000 00 0001',
    '2e 00 00000000 00 0001',
    '2f 00 00000000 00 0001',
    '34 00 00000000 00 0001',
    '35',
    '48 02',
    '5e 00 0000000000 00ff',
    '84 00 00000000000000000000 00ff',
    '9c 00 0000000000000000 0000 0001',
  ].map((hex): [number, number[], typeof disk, 0] => {
    const [opcode = 0, ...rest] = cdbOf(hex)
    return [opcode, rest, removable, 0]
  })
  const units = fc.constantFrom(
    disk,
    removable,
    { ...disk, readOnly: true },
    { ...removable, mediumPresent: false },
    { ...disk, sizeBlocks: 2 ** 53, blockBytes: 4096 },
    undefined,
  )
  const opcodes = fc.oneof(fc.constantFrom(...all.map(({ cdb }) => cdb[0]!)), fc.nat(255))
  const sparse = fc.oneof(
    { weight: 8, arbitrary: fc.constant(0) },
    fc.constantFrom(1, 2, 3, 4, 6, 8, 0x10),
    fc.nat(255),
  )
  const kinds = new Set<string>()
  fc.assert(
    fc.property(
      opcodes,
      fc.array(sparse, { minLength: 15, maxLength: 15 }),
      units,
      fc.constantFrom(0, 5, REPORT_LUNS_WLUN),
      (opcode, rest, lu, lun) => {
        const cdb = Buffer.from([opcode, ...rest])
        const before = Buffer.from(cdb)
        const outcome = dispatch(cdb, 0, lu === undefined ? nowhere(lun) : contextOf(lu, lun))
        kinds.add(outcome.kind)
        const bytes = transferLengthBytes(outcome, lu)
        if ('lba' in outcome && outcome.kind !== 'flush') {
          const { lba, blocks } = outcome
          const empty = outcome.kind === 'exclusive' && outcome.operation === 'compareAndWrite'
          if (
            lu === undefined ||
            blocks < (empty ? 0 : 1) ||
            blocks > lu.maxTransferBlocks ||
            lba < 0 ||
            lba > lu.sizeBlocks - blocks
          )
            return false
          if (['write', 'writeAndVerify', 'exclusive'].includes(outcome.kind) && lu.readOnly) return false
        }
        if (outcome.kind === 'provision' && !soundOperation(outcome.operation, lu)) return false
        if (outcome.kind === 'flush' && (lu === undefined || outcome.lba > lu.sizeBlocks - outcome.blocks)) return false
        if (outcome.kind === 'status') {
          if ((outcome.status === 0x02) !== (outcome.sense !== undefined)) return false
          if (
            outcome.sense !== undefined &&
            (encodeSense(outcome.sense, 'fixed').length !== 18 || encodeSense(outcome.sense, 'descriptor')[0] !== 0x72)
          )
            return false
        }
        return (
          cdb.equals(before) &&
          Number.isSafeInteger(bytes) &&
          bytes >= 0 &&
          (bytes === 0 || transferDirection(outcome) !== 'none')
        )
      },
    ),
    { numRuns: 20_000, examples },
  )
  t.same(
    [...kinds].sort(),
    [
      'copyResults',
      'dataIn',
      'exclusive',
      'flush',
      'medium',
      'parameterOut',
      'preFetch',
      'provision',
      'read',
      'reserveIn',
      'status',
      'unit',
      'verify',
      'write',
      'writeAndVerify',
    ],
    'every kind of outcome was met',
  )
})

/** Ranges lie within a unit that may be written to, or looked at. */
function soundOperation(operation: ProvisionOperation, lu: LogicalUnit | undefined): boolean {
  if (lu === undefined) return false
  if (operation.name === 'lbaStatus' || operation.name === 'writeSame') {
    const { lba, blocks } = operation
    if (blocks < 1 || lba < 0 || lba > lu.sizeBlocks - blocks) return false
    return operation.name === 'lbaStatus' || (!lu.readOnly && blocks <= lu.maxTransferBlocks)
  }
  return !lu.readOnly
}
