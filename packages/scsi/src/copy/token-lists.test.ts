// POPULATE TOKEN and WRITE USING TOKEN: parameter lists and tokens [SBC-3 §5.7, §5.48; SPC-4 §5.17.6].

import t from 'tap'
import { unitDesignators } from '../commands/device-identification.js'
import type { Outcome } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import { contextOf, dataOf, disk, failsWith, send } from '../test-fixture.js'
import type { CopyJob } from './copy-job.js'
import { populateBytes, range, writeUsingBytes } from './fixtures/lists.js'
import { MAX_RANGE_DESCRIPTORS, MAX_TOKEN_BYTES, TOKEN_INACTIVITY_TIMEOUT_S } from './limits.js'
import { decodeRodToken, encodeRodToken, ROD_TOKEN_BYTES, ROD_TOKEN_RANDOM_BYTES } from './rod-token.js'

function sendList(action: '10' | '11', list: Buffer, bytes = list.length, lu = disk): Outcome {
  const outcome = send(`83 ${action} 00000000 00001234 ${bytes.toString(16).padStart(8, '0')}`, contextOf(lu))
  return outcome.kind === 'parameterOut' ? outcome.apply(list.subarray(0, bytes)) : outcome
}
const populate = (list: Buffer, bytes?: number) => sendList('10', list, bytes)
const writeUsing = (list: Buffer, bytes?: number, lu = disk) => sendList('11', list, bytes, lu)

function jobOf(outcome: Outcome): CopyJob {
  if (outcome.kind !== 'copy') throw new Error(`no copy: ${JSON.stringify(outcome)}`)
  return outcome.job
}

const at = (byte: number) => ({ field: { in: 'parameterList' as const, byte } })
const creator = unitDesignators(disk)[0]
const token = encodeRodToken({
  creator,
  blockBytes: 512,
  bytes: 100 * 512,
  random: Buffer.alloc(ROD_TOKEN_RANDOM_BYTES, 0xa5),
})
const zeroToken = Buffer.alloc(ROD_TOKEN_BYTES)
zeroToken.write('ffff0001000001f8', 0, 'hex')

t.test('POPULATE TOKEN: list identifier, ranges, timeout [SBC-3 §5.7]', async t => {
  t.match(jobOf(populate(populateBytes([range(5, 3), range(0, 0), range(100, 1)]))), {
    kind: 'populateToken',
    listIdentifier: 0x1234,
    immediate: false,
    inactivityTimeoutS: TOKEN_INACTIVITY_TIMEOUT_S,
    totalBlocks: 4,
    ranges: [
      { lba: 5, blocks: 3 },
      { lba: 100, blocks: 1 },
    ],
  })
  t.match(jobOf(populate(populateBytes([range(5, 3)], { immed: true, inactivityTimeout: 7 }))), {
    immediate: true,
    inactivityTimeoutS: 7,
  })
  failsWith(
    t,
    populate(populateBytes([range(5, 3)], { inactivityTimeout: TOKEN_INACTIVITY_TIMEOUT_S + 1 })),
    senseCodes.invalidFieldInParameterList,
    at(4),
  )
})

t.test('RTV asks for a type of token: ours, or 26/00 [SBC-3 §5.7.2]', async t => {
  t.equal(jobOf(populate(populateBytes([range(5, 3)], { rtv: true, rodType: 0x0080_0000 }))).kind, 'populateToken')
  const wrong = populate(populateBytes([range(5, 3)], { rtv: true, rodType: 0x0001_0000 }))
  failsWith(t, wrong, senseCodes.invalidFieldInParameterList, at(8))
})

t.test('lists cut short or with lengths that are not true, for both commands', async t => {
  const cases = [
    ['10', populateBytes([range(5, 3)]), 14],
    ['11', writeUsingBytes(token, [range(5, 3)]), 534],
  ] as const
  for (const [action, whole, rangesAt] of cases) {
    t.same(send(`83 ${action}`), { kind: 'status', status: 0 }, 'an empty list asks for nothing')
    for (let bytes = 1; bytes < whole.length; bytes++)
      failsWith(t, sendList(action, whole, bytes), senseCodes.parameterListLengthError)
    const lying = (change: (list: Buffer) => void): Outcome => {
      const list = Buffer.from(whole)
      change(list)
      return sendList(action, list)
    }
    failsWith(
      t,
      lying(list => void list.writeUInt16BE(0xffff, 0)),
      senseCodes.parameterListLengthError,
    )
    failsWith(
      t,
      lying(list => void list.writeUInt16BE(13, 0)),
      senseCodes.invalidFieldInParameterList,
      at(0),
    )
    for (const length of [0, 15, 17, 32, 0xfff0])
      failsWith(
        t,
        lying(list => void list.writeUInt16BE(length, rangesAt)),
        senseCodes.invalidFieldInParameterList,
        at(rangesAt),
      )
  }
})

t.test('ranges: beyond the end, over each other, too many, too much [SBC-3 §5.7.3]', async t => {
  const end = disk.sizeBlocks
  failsWith(t, populate(populateBytes([range(end - 1, 2)])), senseCodes.lbaOutOfRange, { information: BigInt(end) })
  failsWith(t, populate(populateBytes([range(end + 7, 0)])), senseCodes.lbaOutOfRange, { information: BigInt(end + 7) })
  for (const ranges of [
    [range(5, 3), range(7, 1)],
    [range(7, 1), range(5, 3)],
    [range(5, 3), range(5, 3)],
  ])
    failsWith(t, populate(populateBytes(ranges)), senseCodes.invalidFieldInParameterList, at(16))
  t.equal(jobOf(populate(populateBytes([range(5, 3), range(8, 1), range(4, 1)]))).kind, 'populateToken', 'neighbours')
  const many = (count: number) => populateBytes(Array.from({ length: count }, (_, index) => range(index, 1)))
  t.equal(jobOf(populate(many(MAX_RANGE_DESCRIPTORS))).kind, 'populateToken')
  failsWith(t, populate(many(MAX_RANGE_DESCRIPTORS + 1)), senseCodes.tooManySegmentDescriptors)
  const most = MAX_TOKEN_BYTES / 512
  t.equal(jobOf(populate(populateBytes([range(0, most)]))).kind, 'populateToken')
  failsWith(
    t,
    populate(populateBytes([range(0, most), range(most, 1)])),
    senseCodes.invalidFieldInParameterList,
    at(16),
  )
})

t.test('a token is 512 bytes that say what they stand for [SPC-4 §5.17.6.3, SBC-3 §4.28.3]', async t => {
  t.equal(token.length, 512)
  t.equal(token.toString('hex', 0, 8), '00800000000001f8')
  t.equal(token.toString('hex', 16, 48), `e4000000${creator.toString('hex')}00000000`.padEnd(58, '0') + '000200')
  t.equal(token.readBigUInt64BE(56), 100n * 512n)
  t.equal(token.readUInt32BE(96), 512)
  t.ok([...token.subarray(8, 16), ...token.subarray(164)].every(byte => byte === 0xa5))
  t.match(decodeRodToken(token), { kind: 'data', token, creator, blockBytes: 512, bytes: 51200 })
  t.same(decodeRodToken(zeroToken), { kind: 'zero' })
})

t.test('WRITE USING TOKEN: token, offset, ranges; zeros need no offset [SBC-3 §5.48]', async t => {
  t.match(
    jobOf(writeUsing(writeUsingBytes(token, [range(5, 60), range(70, 30)], { offsetIntoRod: 10, delTkn: true }))),
    {
      kind: 'writeUsingToken',
      listIdentifier: 0x1234,
      deleteToken: true,
      immediate: false,
      offsetBlocks: 10,
      totalBlocks: 90,
      token: { kind: 'data', creator },
    },
  )
  failsWith(
    t,
    writeUsing(writeUsingBytes(token, [range(5, 60), range(70, 31)], { offsetIntoRod: 10 })),
    senseCodes.invalidFieldInParameterList,
    at(8),
  )
  const zeros = jobOf(writeUsing(writeUsingBytes(zeroToken, [range(5, 1000)], { offsetIntoRod: 10 })))
  t.match(zeros, { offsetBlocks: 0, totalBlocks: 1000, token: { kind: 'zero' } })
})

t.test('tokens that cannot be ours: 5/23/xx [SPC-4 §5.17.6.8]', async t => {
  const changed = (byte: number, value: number) => {
    const other = Buffer.from(token)
    other[byte] = value
    return writeUsing(writeUsingBytes(other, [range(5, 1)]))
  }
  failsWith(t, changed(1, 0x00), senseCodes.unsupportedTokenType)
  failsWith(t, changed(7, 0xf7), senseCodes.invalidTokenLength)
  failsWith(t, changed(23, 21), senseCodes.tokenUnknown)
  const other = { ...disk, blockBytes: 4096 }
  failsWith(t, writeUsing(writeUsingBytes(token, [range(5, 1)]), undefined, other), senseCodes.invalidToken)
})

t.test('a unit that cannot be written to takes no token: 7/27/00', async t => {
  const readOnly = { ...disk, readOnly: true }
  failsWith(t, writeUsing(writeUsingBytes(token, [range(5, 1)]), undefined, readOnly), senseCodes.writeProtected)
})

t.test(
  'page 8Fh tells the limits of tokens in blocks, and the commands of the table [SBC-3 §6.6.6, SPC-4 §7.8.17]',
  async t => {
    const page = dataOf(send('12 01 8f 10 00 00', contextOf({ ...disk, blockBytes: 4096 })))
    t.equal(page.readUInt16BE(2), page.length - 4)
    t.equal(
      page.toString('hex', 4, 40),
      '00000020' + '000000000000' + '0040' + '0000003c' + '0000003c' + '0000000000004000'.repeat(2),
    )
    t.equal(page.toString('hex', 40, 56), '0001000c' + '0b' + '8303001011' + '840400030407')
    const types: number[] = []
    for (let offset = 4; offset < page.length; offset += 4 + page.readUInt16BE(offset + 2)) {
      types.push(page.readUInt16BE(offset))
      t.equal(page.readUInt16BE(offset + 2) % 4, 0)
    }
    t.same(types, [0x0000, 0x0001, 0x0004, 0x0008, 0x000c, 0x0106, 0x0108, 0x8001])
  },
)
