// What the tests of this package share: a unit, a target, and short ways to send a CDB. Not part of the public face.

import type { Test } from 'tap'
import { dispatch } from './dispatch.js'
import type { Context, LogicalUnit, Nexus, Target } from './logical-unit.js'
import type { Outcome } from './outcome.js'
import type { FieldPointer } from './sense.js'
import type { SenseCode } from './sense-codes.js'

/** A fixed disk of 2^20 blocks of 512 bytes. */
export const disk: LogicalUnit = {
  sizeBlocks: 0x10_0000,
  blockBytes: 512,
  identity: { naa: '6f0c0ffee0123456789abcdef0123456', serial: 'SP-0001' },
  product: 'test disk',
  readOnly: false,
  removable: false,
  thin: true,
  maxTransferBlocks: 2048,
  sanitize: undefined,
  provisioning: { usedBlocks: 1000, availableBlocks: 3001 },
}

export const target: Target = { name: 'iqn.2025-01.pub.scsipub:test', portalGroupTag: 1, luns: [0, 1, 256] }

export function contextOf(lu: LogicalUnit | undefined = disk, lun = 0): Context & { nexus: Nexus } {
  return { lu, lun, target, nexus: { unitAttentions: [] } }
}

/** A context without a logical unit at `lun`. */
export function nowhere(lun = 7): Context {
  return { lu: undefined, lun, target, nexus: { unitAttentions: [] } }
}

/** Sixteen bytes from hexadecimal text; what is missing is zero. */
export function cdbOf(hex: string): Buffer {
  const cdb = Buffer.alloc(16)
  Buffer.from(hex.replaceAll(' ', ''), 'hex').copy(cdb)
  return cdb
}

/** Dispatches a CDB given as hexadecimal, not at offset 0, so that a forgotten offset shows. */
export function send(hex: string, context: Context = contextOf()): Outcome {
  const header = Buffer.alloc(48, 0xff)
  cdbOf(hex).copy(header, 32)
  return dispatch(header, 32, context)
}

/** The parameter data of a command that must give some. */
export function dataOf(outcome: Outcome): Buffer {
  if (outcome.kind !== 'dataIn') throw new Error(`expected data, got ${JSON.stringify(outcome)}`)
  return outcome.data
}

/** Asserts CHECK CONDITION with this condition, and with this field pointer and INFORMATION where given. */
export function failsWith(
  test: Pick<Test, 'equal' | 'same' | 'fail'>,
  outcome: Outcome,
  code: SenseCode,
  particulars: { field?: FieldPointer; information?: bigint } = {},
): void {
  const { field, information } = particulars
  if (outcome.kind !== 'status') return void test.fail(`expected CHECK CONDITION, got ${outcome.kind}`)
  test.equal(outcome.status, 0x02, 'CHECK CONDITION')
  test.equal(outcome.sense?.code.text, code.text)
  if (field !== undefined) test.same(outcome.sense?.field, field)
  if (information !== undefined) test.equal(outcome.sense?.information, information)
}
