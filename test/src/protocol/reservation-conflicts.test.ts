// Every command that REPORT SUPPORTED OPERATION CODES lists, from a nexus that is fenced off, under both kinds of reservation: the table of SPC-4
// §5.13.1 and SBC-3 §4.17 as a second opinion. And every way to change data, from the fenced nexus and from a registered one.

import { status } from '@scsipub/scsi'
import { type Initiator, persistentReserveOut, prOut } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLOCK, cdbOf, content, withSessions } from './lab.js'

const target = iqn('shared')
const config = { workers: 2, targets: [{ name: 'shared', auth: 'none', luns: [{ sizeBytes: 1 << 20 }] }] }
const KEY = 0xa1
const WRITE_EXCLUSIVE_REGISTRANTS_ONLY = 5
const EXCLUSIVE_ACCESS_REGISTRANTS_ONLY = 6

/** `opcode` or `opcode/service action`, in hexadecimal. */
const set = (names: string): ReadonlySet<string> => new Set(names.split(' '))
/** Never in conflict with a persistent reservation. A bare 1E allows removal; 5F is judged by the registration. */
const always = set('00 03 12 1e 25 4d 5e/0 5e/1 5e/2 5e/3 5f/0 5f/6 9e/10 a0 a3/a')
/** In conflict when others may not read. */
const asRead = set('08 1a 28 2f 34 37 5a 83/10 84/7 88 8f 90 9e/12 a3/c a3/d a8 af b7')
/** They need a parameter list before they can be judged. */
const judgedByList = set('5f/1 5f/2 5f/3 5f/4 5f/5 5f/7')

/** All commands there are, by name as above, with a CDB that is zero otherwise. */
async function commands(initiator: Initiator): Promise<Map<string, Buffer>> {
  const { data } = await initiator.executeRead(cdbOf('a3 0c 00 00 00 00 00 00 20 00'), 8192)
  const found = new Map<string, Buffer>()
  for (let at = 4; at < data.length; at += 8) {
    const hasAction = (data[at + 5]! & 1) === 1
    const action = data.readUInt16BE(at + 2)
    const name = data[at]!.toString(16).padStart(2, '0') + (hasAction ? `/${action.toString(16)}` : '')
    found.set(name, Buffer.concat([Buffer.from([data[at]!, hasAction ? action : 0]), Buffer.alloc(14)]))
  }
  return found
}

/** Reserves for `holder`, lets `use` look, and takes everything back. */
async function reserved(holder: Initiator, type: number, use: () => Promise<void>): Promise<void> {
  await persistentReserveOut(holder, prOut.registerAndIgnoreExistingKey, { serviceActionKey: KEY })
  const { status: reserve } = await persistentReserveOut(holder, prOut.reserve, { key: KEY, type })
  if (reserve !== status.good) throw new Error(`RESERVE ended with status ${reserve}`)
  await use()
  await persistentReserveOut(holder, prOut.clear, { key: KEY })
}

await withServer(t, { config }, async server => {
  for (const [kind, type, othersRead] of [
    ['write exclusive', WRITE_EXCLUSIVE_REGISTRANTS_ONLY, true],
    ['exclusive access', EXCLUSIVE_ACCESS_REGISTRANTS_ONLY, false],
  ] as const) {
    await t.test(
      `every command under ${kind}: from a stranger as the table says [SPC-4 §5.13.1, SBC-3 §4.17]`,
      async t => {
        await withSessions(server, { target, count: 2 }, async (holder, stranger) => {
          const all = await commands(holder!)
          t.ok(all.size > 40, `${all.size} commands`)
          await reserved(holder!, type, async () => {
            for (const [name, bare] of all) {
              if (judgedByList.has(name)) continue
              const result = await stranger!.execute(bare)
              const passes = always.has(name) || (othersRead && asRead.has(name))
              t.equal(result.status === status.reservationConflict, !passes, `${name}: status ${result.status}`)
            }
          })
        })
      },
    )
  }

  await t.test('the holder and other registrants are never in conflict [SPC-4 §5.13.1, table 65]', async t => {
    await withSessions(server, { target, count: 2 }, async (holder, registrant) => {
      const all = await commands(holder!)
      await reserved(holder!, EXCLUSIVE_ACCESS_REGISTRANTS_ONLY, async () => {
        await persistentReserveOut(registrant!, prOut.registerAndIgnoreExistingKey, { serviceActionKey: 1 })
        for (const [name, bare] of all) {
          if (name === '48' || name.startsWith('48/')) continue // would begin a sanitize operation
          for (const initiator of [holder!, registrant!]) {
            const result = await initiator.execute(bare)
            t.not(result.status, status.reservationConflict, name)
          }
        }
      })
    })
  })

  await t.test(
    'every way to change data: a conflict from the fenced nexus, and the data stay; GOOD from a registered one',
    async t => {
      await withSessions(server, { target, count: 3 }, async (holder, registrant, fenced) => {
        const all = await commands(holder!)
        const one = content(BLOCK, 1)
        const unmap = Buffer.alloc(24)
        unmap.writeUInt16BE(22, 0)
        unmap.writeUInt16BE(16, 2)
        unmap.writeUInt32BE(1, 16)
        const ways: [name: string, hex: string, data: Buffer][] = [
          ['0a', '0a 00 00 00 01 00', one],
          ['2a', '2a 00 00000000 00 0001 00', one],
          ['2e', '2e 00 00000000 00 0001 00', one],
          ['41', '41 00 00000000 00 0001 00', one],
          ['42', '42 00 00 00 00 00 00 0018 00', unmap],
          ['89', '89 00 0000000000000000 000000 01 00 00', Buffer.concat([Buffer.alloc(BLOCK), one])],
          ['8a', '8a 00 0000000000000000 00000001 00 00', one],
          ['8b', '8b 00 0000000000000000 00000001 00 00', one],
          ['8e', '8e 00 0000000000000000 00000001 00 00', one],
          ['93', '93 00 0000000000000000 00000001 00 00', one],
          ['9c', '9c 00 0000000000000000 0000 0001 00 00', one],
          ['aa', 'aa 00 00000000 00000001 00 00', one],
          ['ae', 'ae 00 00000000 00000001 00 00', one],
        ]
        await reserved(holder!, WRITE_EXCLUSIVE_REGISTRANTS_ONLY, async () => {
          await persistentReserveOut(registrant!, prOut.registerAndIgnoreExistingKey, { serviceActionKey: 1 })
          for (const [name, hex, data] of ways) {
            if (!all.has(name)) continue
            const blank = Buffer.alloc(BLOCK)
            await holder!.write(0, blank)
            t.equal((await fenced!.executeWrite(cdbOf(hex), data)).status, status.reservationConflict, `${name} fenced`)
            t.same(await holder!.read(0, 1), blank, `${name} changed nothing`)
            const result = await registrant!.executeWrite(cdbOf(hex), data)
            t.equal(result.sense ?? result.status, status.good, `${name} registered`)
          }
        })
      })
    },
  )
})
