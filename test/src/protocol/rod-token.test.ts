// POPULATE TOKEN, WRITE USING TOKEN and RECEIVE ROD TOKEN INFORMATION on the wire [SBC-3 §4.28, §5.7, §5.22, §5.48]: what a token stands for,
// who may use it, how long it lives, and how results are told.

import { TaskManagementFunction as Fn, TaskManagementStatus as Status } from '@scsipub/iscsi'
import {
  type CommandResult,
  copyCdb,
  type Initiator,
  populateList,
  type TokenInformation,
  type TokenRange,
  tokenInformation,
  writeUsingList,
  ZERO_TOKEN,
} from '@scsipub/testkit'
import t from 'tap'
import { iqn, type Server, withServer } from '../harness/server.js'
import { BLOCK, content, until, volumeFiles, withSession } from './lab.js'

const SHARED = iqn('shared')
const OTHER = iqn('other')
const MIB = 1 << 20
const QUOTA_BYTES = 64 << 10
const none = 'none'
const config = {
  workers: 2,
  free: { quotaBytes: QUOTA_BYTES, blankBytes: 8 * MIB },
  targets: [
    { name: 'shared', auth: none, luns: [{ sizeBytes: 64 * MIB }, { sizeBytes: 64 * MIB }] },
    { name: 'other', auth: none, luns: [{ sizeBytes: 8 * MIB }] },
  ],
}

const DONE = 0x01
const FAILED = 0x02
const IN_BACKGROUND = 0x12
const TERMINATED = 0x60
const BLOCKS_UNIT = 0xf1

interface Options {
  readonly lun?: number
  readonly listIdentifier?: number
}

function populate(
  initiator: Initiator,
  ranges: readonly TokenRange[],
  { lun = 0, listIdentifier = 1, ...options }: Options & Parameters<typeof populateList>[1] = {},
): Promise<CommandResult> {
  const list = populateList(ranges, options)
  return initiator.executeWrite(copyCdb.populateToken(listIdentifier, list.length), list, { lun })
}

function writeUsing(
  initiator: Initiator,
  token: Buffer,
  ranges: readonly TokenRange[],
  { lun = 0, listIdentifier = 2, ...options }: Options & Parameters<typeof writeUsingList>[2] = {},
): Promise<CommandResult> {
  const list = writeUsingList(token, ranges, options)
  return initiator.executeWrite(copyCdb.writeUsingToken(listIdentifier, list.length), list, { lun })
}

async function information(initiator: Initiator, listIdentifier: number, lun = 0): Promise<TokenInformation> {
  const { data, status } = await initiator.executeRead(copyCdb.tokenInformation(listIdentifier), 1024, lun)
  if (status !== 0 || data.readUInt32BE(0) !== data.length - 4) throw new Error('no information')
  return tokenInformation(data)
}

/** A token for the ranges. */
async function tokenFor(
  initiator: Initiator,
  ranges: readonly TokenRange[],
  options: Options & Parameters<typeof populateList>[1] = {},
): Promise<Buffer> {
  const { status, sense } = await populate(initiator, ranges, options)
  if (status !== 0) throw new Error(`POPULATE TOKEN: ${sense}`)
  const { token } = await information(initiator, options.listIdentifier ?? 1, options.lun)
  if (!token) throw new Error('no token')
  return Buffer.from(token)
}

/** Asks until the copy is not under way any more. */
async function ended(initiator: Initiator, listIdentifier: number, lun = 0): Promise<TokenInformation> {
  for (;;) {
    const told = await information(initiator, listIdentifier, lun)
    if (told.operationStatus !== IN_BACKGROUND) return told
  }
}

const tokenFiles = (server: Server) => volumeFiles(server).filter(path => path.includes('/tokens/'))

await withServer(t, { config, images: { photo: content(MIB, 42) } }, async server => {
  await t.test('a token stands for the data as it was, whatever is written afterwards [SPC-4 §5.17.6.2]', async t => {
    await withSession(server, { target: SHARED }, async initiator => {
      const data = content(3 * MIB, 1)
      await initiator.write(100, data)
      const result = await populate(initiator, [
        [100, 4000],
        [4100, 2144],
      ])
      t.match(result, { status: 0, overflow: 0, underflow: 0 })
      const populated = await information(initiator, 1)
      t.match(populated, {
        serviceAction: 0x10,
        operationStatus: DONE,
        transferUnits: BLOCKS_UNIT,
        transferCount: 6144,
      })
      const token = populated.token!
      t.equal(token.length, 512)
      t.equal(token.toString('hex', 0, 8), '00800000000001f8')
      t.equal(token.readBigUInt64BE(56), BigInt(data.length))
      await initiator.write(100, content(3 * MIB, 2))
      const ranges: TokenRange[] = [
        [50_000, 144],
        [9, 6000],
      ]
      t.match(await writeUsing(initiator, token, ranges, { lun: 1 }), { status: 0, overflow: 0, underflow: 0 })
      t.match(await information(initiator, 2, 1), {
        serviceAction: 0x11,
        operationStatus: DONE,
        transferCount: 6144,
        token: undefined,
      })
      t.same(await initiator.read(50_000, 144, 1), data.subarray(0, 144 * BLOCK))
      t.same(await initiator.read(9, 6000, 1), data.subarray(144 * BLOCK))
      t.equal((await writeUsing(initiator, token, [[20_000, 10]], { offsetBlocks: 6134n })).status, 0)
      t.same(await initiator.read(20_000, 10), data.subarray(6134 * BLOCK), 'from an offset on')
      const beyond = await writeUsing(initiator, token, [[20_000, 11]], { offsetBlocks: 6134n })
      t.equal(beyond.sense, '5/26/00')
    })
  })

  await t.test('zeros: where nothing was written, and by the well known token [SBC-3 §4.28.4]', async t => {
    await withSession(server, { target: SHARED }, async initiator => {
      await initiator.write(40_000, content(MIB, 3))
      const token = await tokenFor(initiator, [[120_000, 2048]])
      t.equal((await writeUsing(initiator, token, [[40_000, 1000]])).status, 0)
      t.same(await initiator.read(40_000, 1000), Buffer.alloc(1000 * BLOCK))
      t.equal((await writeUsing(initiator, ZERO_TOKEN, [[41_000, 1000]])).status, 0)
      t.same(await initiator.read(41_000, 1000), Buffer.alloc(1000 * BLOCK))
      t.same(await initiator.read(42_000, 48), content(MIB, 3).subarray(2000 * BLOCK), 'and nothing more')
    })
  })

  await t.test(
    'results belong to the nexus, the unit and the list identifier: otherwise 5/24/00 [SBC-3 §5.22]',
    async t => {
      await withSession(server, { target: SHARED }, async initiator => {
        await tokenFor(initiator, [[0, 1]], { listIdentifier: 0xfeedf00d })
        const asked = (who: Initiator, list: number, lun = 0) =>
          who.executeRead(copyCdb.tokenInformation(list), 1024, lun)
        t.equal((await asked(initiator, 0xfeedf00d)).status, 0)
        t.equal((await asked(initiator, 0xfeedf00e)).sense, '5/24/00')
        t.equal((await asked(initiator, 0xfeedf00d, 1)).sense, '5/24/00')
        t.equal((await initiator.executeRead(copyCdb.copyStatus(0x0d), 255)).sense, '5/24/00')
        await withSession(server, { target: SHARED }, async other => {
          t.equal((await asked(other, 0xfeedf00d)).sense, '5/24/00')
        })
      })
    },
  )

  await t.test(
    'a token is good in every session that has its unit, on every thread, and in no other: 5/23/04',
    async t => {
      await withSession(server, { target: SHARED }, async initiator => {
        const data = content(MIB, 4)
        await initiator.write(0, data)
        const token = await tokenFor(initiator, [[0, 2048]])
        for (let session = 0; session < 3; session++) {
          await withSession(server, { target: SHARED }, async friend => {
            t.equal((await writeUsing(friend, token, [[5000 * session, 2048]], { lun: 1 })).status, 0)
            t.same(await friend.read(5000 * session, 2048, 1), data)
          })
          await withSession(server, { target: OTHER }, async stranger => {
            t.equal((await writeUsing(stranger, token, [[0, 8]])).sense, '5/23/04')
            t.same(await stranger.read(0, 8), Buffer.alloc(8 * BLOCK))
          })
        }
        for (const at of [8, 15, 40, 164, 511]) {
          const guess = Buffer.from(token)
          guess[at]! ^= 1
          t.equal((await writeUsing(initiator, guess, [[0, 8]])).sense, '5/23/04', `another byte ${at}`)
        }
      })
      await withSession(server, {}, async first => {
        const token = await tokenFor(first, [[0, 8]])
        await withSession(server, {}, async second => {
          t.equal((await writeUsing(second, token, [[0, 8]])).sense, '5/23/04', 'private disks of one target')
        })
      })
    },
  )

  await t.test(
    'tokens end: deleted by DEL_TKN, expired, cancelled for newer ones, with the session [SPC-4 §5.17.6.7]',
    async t => {
      let token = ZERO_TOKEN
      await withSession(server, { target: SHARED }, async initiator => {
        await until('the tokens of the sessions before are gone', () => tokenFiles(server).length === 0)
        const deleted = await tokenFor(initiator, [[0, 8]])
        t.equal(tokenFiles(server).length, 1)
        t.equal((await writeUsing(initiator, deleted, [[8, 8]], { deleteToken: true })).status, 0)
        t.equal((await writeUsing(initiator, deleted, [[8, 8]])).sense, '5/23/09')
        t.same(tokenFiles(server), [])

        const expired = await tokenFor(initiator, [[0, 8]], { timeoutS: 1 })
        await until('the token expires', () => tokenFiles(server).length === 0)
        t.equal((await writeUsing(initiator, expired, [[8, 8]])).sense, '5/23/07')

        const tokens: Buffer[] = []
        for (let index = 0; index < 17; index++) tokens.push(await tokenFor(initiator, [[index, 1]]))
        t.equal((await writeUsing(initiator, tokens[0]!, [[8, 1]])).sense, '5/23/08')
        t.equal((await writeUsing(initiator, tokens[1]!, [[8, 1]])).status, 0)
        const large: TokenRange[] = [[0, (64 * MIB) / BLOCK]]
        for (let index = 0; index < 5; index++) token = await tokenFor(initiator, large)
        t.equal(tokenFiles(server).length, 4, 'in bytes, too')
      })
      await until('the tokens of the session are gone', () => tokenFiles(server).length === 0)
      await withSession(server, { target: SHARED }, async initiator => {
        t.equal((await writeUsing(initiator, token, [[8, 8]])).sense, '5/23/04')
      })
    },
  )

  await t.test('IMMED: GOOD at once, the rest in the background [SBC-3 §5.7.2, §5.48.2]', async t => {
    await withSession(server, { target: SHARED }, async initiator => {
      const whole: TokenRange[] = [[0, (64 * MIB) / BLOCK]]
      const data = content(4 * MIB, 5)
      await initiator.write(100_000, data)
      // Sent together, so that what comes second finds the copy under way.
      const list = populateList(whole, { immediate: true })
      const { good, onItsWay, second } = initiator.wire.together(() => ({
        good: initiator.beginWrite(copyCdb.populateToken(6, list.length), list),
        onItsWay: information(initiator, 6),
        second: populate(initiator, [[0, 1]], { listIdentifier: 6 }),
      }))
      t.equal((await initiator.collect(good, list)).status, 0)
      t.match(await onItsWay, { operationStatus: IN_BACKGROUND, token: undefined })
      t.equal((await second).sense, '5/00/16', 'the identifier is taken')
      const { token, ...populated } = await ended(initiator, 6)
      t.match(populated, { operationStatus: DONE, transferCount: whole[0]![1] })
      await initiator.write(100_000, Buffer.alloc(data.length))
      const target: TokenRange[] = [[7, data.length / BLOCK]]
      const options = { immediate: true, lun: 1, offsetBlocks: 100_000n }
      t.equal((await writeUsing(initiator, token!, target, options)).status, 0)
      t.match(await ended(initiator, 2, 1), { operationStatus: DONE, transferCount: data.length / BLOCK })
      t.ok((await initiator.read(7, data.length / BLOCK, 1)).equals(data))
      const wrong = Buffer.from(token!).fill(0, 200)
      t.equal((await writeUsing(initiator, wrong, [[7, 8]], { immediate: true })).status, 0)
      const failed = await ended(initiator, 2)
      t.match(failed, { operationStatus: FAILED, transferCount: 0 })
      t.equal(failed.sense.toString('hex', 2, 3) + failed.sense.toString('hex', 12, 14), '052304')
    })
  })

  await t.test(
    'task management ends copies in the background before it is answered: status 60h, no file stays [SAM-5 §6.3.3]',
    async t => {
      await withSession(server, { target: SHARED }, async initiator => {
        await until('the tokens of the sessions before are gone', () => tokenFiles(server).length === 0)
        const list = populateList([[0, (64 * MIB) / BLOCK]], { immediate: true })
        for (const fn of [Fn.abortTaskSet, Fn.logicalUnitReset]) {
          const { good, ended } = initiator.wire.together(() => ({
            good: initiator.beginWrite(copyCdb.populateToken(1, list.length), list),
            ended: initiator.manageTask(fn),
          }))
          t.equal(await ended, Status.functionComplete)
          t.same(tokenFiles(server), [])
          t.equal((await initiator.collect(good, list)).status, 0)
          const told = await initiator.executeRead(copyCdb.tokenInformation(1), 1024)
          if (fn === Fn.logicalUnitReset) t.equal(told.sense, '6/29/03')
          else t.match(tokenInformation(told.data), { operationStatus: TERMINATED, token: undefined })
        }
      })
    },
  )

  await t.test('a write that the quota stops: 7/27/07, and how far it came is told [SBC-3 §5.22, §5.48]', async t => {
    await withSession(server, { target: iqn('photo') }, async initiator => {
      const quota = QUOTA_BYTES / BLOCK
      const token = await tokenFor(initiator, [[0, 2 * quota]])
      const result = await writeUsing(initiator, token, [
        [1000, quota],
        [1500, quota],
      ])
      t.equal(result.sense, '7/27/07')
      const told = await information(initiator, 2)
      t.match(told, { operationStatus: FAILED, transferCount: quota })
      t.same(told.sense, result.senseData)
      t.same(await initiator.read(1000, quota), content(MIB, 42).subarray(0, QUOTA_BYTES))
      t.same(await initiator.read(1500, 8), content(MIB, 42).subarray(1500 * BLOCK, 1508 * BLOCK))
    })
  })
})
