// All 256 operation codes with all 32 service actions, on a scratch disk. Whatever comes, the answer is proper and in time, and
// REPORT SUPPORTED OPERATION CODES says beforehand which it will be [SPC-4 §6.35].
//
// The commands carry nothing but operation code and service action in the first sweep, any bytes and any data in the second.
// What each command is for is tested elsewhere.

import { setTimeout } from 'node:timers/promises'
import { type CommandResult, cdb, type Initiator } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLOCK, content, withSession } from './lab.js'

const SCRATCH = iqn('scratch')
const config = {
  targets: [{ name: 'scratch', auth: 'none', luns: [{ sizeBytes: 64 << 10 }, { sizeBytes: 64 << 10 }] }],
}

const GOOD = 0
const CHECK_CONDITION = 2
const CONDITION_MET = 4
const RESERVATION_CONFLICT = 0x18
const SANITIZE_IN_PROGRESS = '2/04/1b'
const DEADLINE_MS = 60_000

const ACTIONS = Array.from({ length: 32 }, (_, action) => action)
/** Where SERVICE ACTION is, as a field pointer: in the CDB, with a bit pointer, bit 4 of byte 1 [SPC-4 §4.5.2.4.2]. */
const POINTS_AT_SERVICE_ACTION = 'cc0001'

interface Supported {
  /** By operation code: the service actions, or `plain`. */
  readonly byOpcode: ReadonlyMap<number, 'plain' | ReadonlySet<number>>
}

/** All that REPORT SUPPORTED OPERATION CODES lists. */
async function supported(initiator: Initiator): Promise<Supported> {
  const all = Buffer.alloc(16)
  all[0] = 0xa3
  all[1] = 0x0c
  all.writeUInt32BE(8192, 6)
  const { data } = await initiator.executeRead(all, 8192)
  if (data.length !== data.readUInt32BE(0) + 4) throw new Error('the list of commands is cut')
  const byOpcode = new Map<number, 'plain' | Set<number>>()
  for (let at = 4; at < data.length; at += 8) {
    const opcode = data[at] ?? 0
    const hasAction = ((data[at + 5] ?? 0) & 1) === 1
    const actions = byOpcode.get(opcode)
    if (!hasAction) byOpcode.set(opcode, 'plain')
    else byOpcode.set(opcode, new Set([...(actions instanceof Set ? actions : []), data.readUInt16BE(at + 2)]))
  }
  return { byOpcode }
}

/** SUPPORT of one command: 1 is no, 3 is as the standard has it [SPC-4 §6.35.3]. */
async function supportOf(initiator: Initiator, opcode: number, action: number): Promise<number> {
  const one = Buffer.alloc(16)
  one[0] = 0xa3
  one[1] = 0x0c
  one[2] = 0b011
  one[3] = opcode
  one.writeUInt16BE(action, 4)
  one.writeUInt32BE(64, 6)
  const { data } = await initiator.executeRead(one, 64)
  return (data[1] ?? 0) & 0x07
}

/** What a command comes to once unit attentions are told and a sanitize operation of a command before it is over. */
async function settled(send: () => Promise<CommandResult>): Promise<CommandResult> {
  for (const end = performance.now() + DEADLINE_MS; performance.now() < end; ) {
    const result = await send()
    if (result.sense === SANITIZE_IN_PROGRESS) await setTimeout(20)
    else if (!result.sense?.startsWith('6/')) return result
  }
  throw new Error('unit attentions, or a sanitize operation, without an end')
}

const proper = ({ status, sense }: CommandResult): boolean =>
  status === CHECK_CONDITION
    ? sense !== undefined
    : sense === undefined && [GOOD, CONDITION_MET, RESERVATION_CONFLICT].includes(status)

await withServer(t, { config }, async server => {
  await t.test(
    'every operation code and service action is answered as the list of commands says [SPC-4 §6.35]',
    async t => {
      await withSession(server, { target: SCRATCH }, async initiator => {
        const { byOpcode } = await supported(initiator)
        t.ok(byOpcode.size > 20, `${byOpcode.size} operation codes are supported`)
        const wrong: string[] = []
        for (let opcode = 0; opcode < 256; opcode++) {
          const entry = byOpcode.get(opcode)
          for (const action of entry === 'plain' ? [0] : ACTIONS) {
            const bare = Buffer.alloc(16)
            bare[0] = opcode
            bare[1] = action
            const result = await settled(() => initiator.execute(bare))
            const pointer = result.senseData?.subarray(15, 18).toString('hex')
            const unknownAction = result.sense === '5/24/00' && pointer === POINTS_AT_SERVICE_ACTION
            const here = entry === 'plain' || (entry?.has(action) ?? false)
            const told = here ? 3 : 1
            const right =
              proper(result) &&
              (entry === undefined
                ? result.sense === '5/20/00'
                : here
                  ? result.sense !== '5/20/00' && !unknownAction
                  : unknownAction)
            const support = await supportOf(initiator, opcode, action)
            if (!right || support !== told)
              wrong.push(
                `${opcode.toString(16)}/${action.toString(16)}: status ${result.status} sense ${result.sense} ${pointer}, SUPPORT ${support}`,
              )
          }
        }
        t.same(wrong, [])
      })
    },
  )

  await t.test('any CDB with any data has a proper end, and the session goes on [SAM-5 §5.3]', async t => {
    await withSession(server, { target: SCRATCH }, async initiator => {
      const { byOpcode } = await supported(initiator)
      const known = [...byOpcode.keys()]
      const improper: string[] = []
      for (let round = 0; round < 1500; round++) {
        const random = content(24, round + 1)
        const any = Buffer.alloc(16)
        // Mostly small numbers in known commands: what is wrong in two ways is refused for the first.
        for (let at = 1; at < 16; at++) any[at] = (random[at] ?? 0) < 0xb0 ? 0 : (random[at] ?? 0) >> ((at * 3) % 8)
        any[0] = round % 8 === 0 ? (random[16] ?? 0) : (known[(random[16] ?? 0) % known.length] ?? 0)
        const entry = byOpcode.get(any[0] ?? 0)
        if (entry instanceof Set) any[1] = [...entry][(random[17] ?? 0) % entry.size] ?? 0
        const bytes = (random[18] ?? 0) % 5
        const data = content(bytes * BLOCK, round)
        const send =
          round % 3 === 0
            ? () => initiator.executeRead(any, 4 * BLOCK)
            : round % 3 === 1
              ? () => initiator.executeWrite(any, data)
              : () => initiator.execute(any)
        const result = await send()
        if (!proper(result)) improper.push(`${any.toString('hex')}: status ${result.status} sense ${result.sense}`)
      }
      t.same(improper, [])
      const ready = await settled(() => initiator.execute(cdb.testUnitReady()))
      t.ok(proper(ready), 'the unit still answers')
      t.equal((await initiator.ping(Buffer.from('still here'))).data.toString(), 'still here')
    })
    await withSession(server, { target: SCRATCH }, async initiator => {
      const capacity = await settled(() => initiator.executeRead(cdb.readCapacity16(), 32, 1))
      t.equal(capacity.status, GOOD, 'and so does its neighbour')
    })
  })
})
