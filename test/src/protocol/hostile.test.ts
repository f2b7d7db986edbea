// Strangers who send anything and leave at any moment. Whatever they do, another session that runs all along notices nothing,
// the process stays the same, and nothing is left of them: no descriptor, no mapping, no file.

import { existsSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { nopOut, scsiCommand } from '@scsipub/iscsi'
import { cdb, Initiator, login, Wire } from '@scsipub/testkit'
import t from 'tap'
import { type Server, withServer } from '../harness/server.js'
import { BLANK, BLOCK, content, holdings, pidOf, portal, untilNoMoreThan, withSession } from './lab.js'

const DATA = content(8 * BLOCK, 1)
const IN_PARALLEL = 16

/** Reads and writes without a pause until it is told to stop; anything unusual rejects. */
function bystander(initiator: Initiator) {
  let going = true
  let rounds = 0
  const done = (async () => {
    while (going) {
      const data = content(8 * BLOCK, rounds)
      await initiator.write(16 * (rounds % 100), data)
      if (!(await initiator.read(16 * (rounds % 100), 8)).equals(data))
        throw new Error('the bystander reads something else')
      rounds += 1
      await setTimeout(5)
    }
    return rounds
  })()
  done.catch(() => {}) // told by `stop`
  const stop = () => {
    going = false
    return done
  }
  return stop
}

/** A login, a write, a ping and a logout: all that a well-behaved session says. */
async function wholeSession(wire: Wire): Promise<void> {
  const initiator = await Initiator.loginOn(wire, { target: BLANK, keys: { FirstBurstLength: '1024' } })
  await initiator.executeWrite(cdb.write10(0, 8), DATA)
  await initiator.ping(Buffer.from('x'))
  await initiator.logout()
}

async function forAll<T>(items: readonly T[], use: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += IN_PARALLEL) await Promise.all(items.slice(at, at + IN_PARALLEL).map(use))
}

/** Resident memory of the server in bytes. */
function residentBytes(server: Server): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pidOf(server)}/status`, 'utf8'))
  return Number(match?.[1]) * 1024
}

await withServer(t, { config: { workers: 2 } }, async server => {
  const connect = () => Wire.connect(portal(server))
  const witness = await Initiator.login(portal(server), { target: BLANK })
  const stop = bystander(witness)
  await withSession(server, {}, async initiator => initiator.write(0, DATA))
  await setTimeout(200)
  const before = holdings(server)

  await t.test('a connection that ends at any byte of a session leaves nothing behind', async t => {
    const dry = await connect()
    await wholeSession(dry)
    const length = dry.sentBytes
    t.ok(length > 48 * 5)
    await dry.end()
    const cuts = Array.from({ length: length + 1 }, (_, index) => index)
    let cutShort = 0
    await forAll(cuts, async after => {
      const wire = await connect()
      wire.cutAfter(after, after % 2 === 0 ? 'fin' : 'reset')
      await wholeSession(wire).catch(() => {
        cutShort += 1
      })
      await wire.end('reset')
    })
    t.ok(cutShort > length * 0.9, `${cutShort} of ${length} sessions were cut short`)
    await untilNoMoreThan(server, before)
  })

  await t.test('a header that claims 16 MiB ends the connection, and nobody allocates them [7143 §13.12]', async t => {
    const memory = residentBytes(server)
    await forAll([...Array(64).keys()], async index => {
      const wire = await connect()
      if (index % 2 === 0) await login(wire, { target: BLANK })
      const header = nopOut.encode({ opcode: index % 2 === 0 ? 0x00 : 0x03, immediate: true, initiatorTaskTag: 1 })
      header.writeUIntBE(0xffffff, 5, 3)
      wire.sendRaw(header)
      wire.sendRaw(Buffer.alloc(65536))
      await wire.closed
      t.same(wire.inbox.unread, [])
    })
    t.ok(residentBytes(server) - memory < 256 << 20, 'memory of the process')
    await untilNoMoreThan(server, before)
  })

  await t.test('additional headers that make no sense end the connection or are rejected [7143 §11.2.2]', async () => {
    await forAll([...Array(32).keys()], async index => {
      const wire = await connect()
      await login(wire, { target: BLANK })
      const header = scsiCommand.encode({ initiatorTaskTag: 1, final: true, cmdSn: 1, totalAhsLength: index * 8 + 1 })
      wire.sendRaw(Buffer.concat([header, content((index * 8 + 1) * 4, index)]))
      await wire.end()
    })
    await untilNoMoreThan(server, before)
  })

  await t.test('random bytes, before and after the login', async () => {
    await forAll([...Array(200).keys()], async seed => {
      const wire = await connect()
      if (seed % 2 === 0) await login(wire, { target: BLANK })
      const bytes = content(4096, seed + 1)
      // Every other one begins like something that exists, so that more than the first check is reached.
      if (seed % 4 > 1) bytes.writeUInt32BE(0x4081_0000 + (seed % 8) * 0x0100_0000, 0)
      if (seed % 4 > 1) bytes.writeUInt32BE(seed, 4)
      wire.sendRaw(bytes)
      await Promise.race([wire.closed, setTimeout(50)])
      await wire.end('reset')
    })
    await untilNoMoreThan(server, before)
  })

  await t.test('every header of random flags in full feature phase is answered, ignored, or the end', async () => {
    await forAll([...Array(256).keys()], async seed => {
      const wire = await connect()
      const session = await login(wire, { target: BLANK })
      for (let count = 0; count < 20; count++) {
        const header = content(48, seed * 20 + count + 1)
        header[0] = (seed & 0x3f) | (count % 2 === 0 ? 0x40 : 0)
        header.writeUInt32BE(count % 5 === 0 ? 64 : 0, 4)
        header.writeUInt32BE(session.last.expCmdSn + (count >> 1), 24)
        if (count % 3 === 0) header.fill(0, 8, 16)
        wire.sendRaw(header)
        if (count % 5 === 0) wire.sendRaw(content(64, count))
      }
      await Promise.race([wire.closed, setTimeout(30)])
      await wire.end('reset')
    })
    await untilNoMoreThan(server, before)
  })

  await t.test('200 half-open connections do not keep a real login waiting for a second', async t => {
    const quickest = async () => {
      const took: number[] = []
      for (let round = 0; round < 5; round++) {
        const start = performance.now()
        await withSession(server, {}, async initiator => {
          t.equal((await initiator.read(0, 1)).length, BLOCK)
        })
        took.push(performance.now() - start)
      }
      return Math.min(...took)
    }
    const alone = await quickest()
    const idle = await Promise.all(Array.from({ length: 200 }, connect))
    for (const [index, wire] of idle.entries()) if (index % 2 === 0) wire.sendRaw(Buffer.from([0x43, 0x87]))
    const among = await quickest()
    t.ok(among < alone + 1000, `${among} ms, and ${alone} ms without them`)
    await Promise.all(idle.map(wire => wire.end('reset')))
    await untilNoMoreThan(server, before)
  })

  await t.test('who asks for much and does not read is not read from, and gets all of it later', async t => {
    const initiator = await Initiator.login(portal(server), { target: BLANK })
    const memory = residentBytes(server)
    const blocks = (4 << 20) / BLOCK
    const data = content(blocks * BLOCK, 3)
    await initiator.write(0, data)
    initiator.wire.stopReading()
    const tags = Array.from({ length: 48 }, () =>
      initiator.sendCommand({ cdb: cdb.read16(0, blocks), read: true, expectedDataTransferLength: data.length }),
    )
    await setTimeout(1000)
    t.ok(
      residentBytes(server) - memory < 96 << 20,
      `${(residentBytes(server) - memory) >> 20} MiB for 192 that were asked for`,
    )
    initiator.wire.goOnReading()
    for (const tag of tags) t.ok((await initiator.collect(tag, undefined, 120_000)).data.equals(data))
    await initiator.close()
    await untilNoMoreThan(server, before)
  })

  await t.test('the bystander noticed nothing, and the process is the same', async t => {
    const rounds = await stop()
    t.ok(rounds > 100, `${rounds} rounds`)
    t.same(witness.wire.inbox.unread, [])
    t.ok(existsSync(`/proc/${pidOf(server)}`))
    t.equal(server.log.filter(({ event }) => event === 'server.ready').length, 1)
    const loud = server.log.filter(({ level }) => ['error', 'fatal', 50, 60].includes(level))
    t.same(loud, [], 'nothing at error level in the log')
    await witness.close()
  })
})
