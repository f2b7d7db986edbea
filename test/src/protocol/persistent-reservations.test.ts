// Persistent reservations over the wire [SPC-4 §5.13, §6.15, §6.16]: sessions in several workers, in the order in which clusters fence, and what a
// nexus that was fenced can still do, which is nothing.

import { TaskManagementFunction as Fn, TaskManagementStatus } from '@scsipub/iscsi'
import { status } from '@scsipub/scsi'
import {
  cdb,
  type Initiator,
  persistentReserveIn,
  persistentReserveOut,
  prOut,
  readFullStatus,
  readKeys,
  readReservation,
} from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLANK, BLOCK, cdbOf, content, withSession, withSessions } from './lab.js'

const WERO = 5
const target = iqn('shared')
const config = {
  workers: 3,
  targets: [{ name: 'shared', auth: 'none', luns: [{ sizeBytes: 1 << 20 }, { sizeBytes: 1 << 20 }] }],
}
const A = 0xa1
const B = 0xb2

const out = async (initiator: Initiator, ...args: [number, Parameters<typeof persistentReserveOut>[2]?, number?]) => {
  const result = await persistentReserveOut(initiator, ...args)
  return result.sense ?? result.status
}
const turs = async (initiator: Initiator) => {
  const result = await initiator.execute(cdb.testUnitReady())
  return result.sense ?? result.status
}
const register = (initiator: Initiator, key: number) =>
  out(initiator, prOut.registerAndIgnoreExistingKey, { serviceActionKey: key })
const writes = async (initiator: Initiator, seed: number) =>
  (await initiator.executeWrite(cdb.write10(0, 1), content(BLOCK, seed))).status

/** Nobody is registered any more; unit attentions are taken. */
async function reset(...initiators: Initiator[]): Promise<void> {
  const last = initiators[0]!
  for (const initiator of initiators) while ((await turs(initiator)) !== status.good);
  await register(last, 0xff)
  await out(last, prOut.clear, { key: 0xff })
  for (const initiator of initiators) while ((await turs(initiator)) !== status.good);
}

await withServer(t, { config }, async server => {
  await t.test('fencing as fence_scsi does it: register, reserve, PREEMPT AND ABORT [SPC-4 §5.13.11.2.6]', async t => {
    await withSessions(server, { target, count: 3 }, async (first, second, stranger) => {
      const [one, two, three] = [first!, second!, stranger!]
      t.same(await readKeys(one), { generation: 0, keys: [] })
      t.equal(await readReservation(one), undefined)
      t.equal(await register(one, A), status.good)
      t.equal(await register(two, B), status.good)
      t.equal(await out(one, prOut.reserve, { key: A, type: WERO }), status.good)
      t.equal(await out(one, prOut.reserve, { key: A, type: WERO }), status.good, 'again by the holder')
      t.same(await readKeys(two), { generation: 2, keys: [A, B] })
      t.same(await readReservation(two), { key: A, scope: 0, type: WERO })
      t.equal(await writes(one, 1), status.good)
      t.equal(await writes(two, 2), status.good, 'registered nexuses may write')
      t.equal(await writes(three, 3), status.reservationConflict)
      t.same(await three.read(0, 1), content(BLOCK, 2), 'everybody may read')

      t.equal(await out(one, prOut.preemptAndAbort, { key: A, serviceActionKey: B, type: WERO }), status.good)
      t.equal(await writes(two, 4), status.reservationConflict)
      t.equal(await turs(two), '6/2a/05')
      t.equal(await turs(two), status.good)
      t.equal(await writes(two, 4), status.reservationConflict)
      t.same((await readKeys(one)).keys, [A])
      t.same(await readReservation(one), { key: A, scope: 0, type: WERO })
      t.same(await one.read(0, 1), content(BLOCK, 2))
      t.equal(await turs(three), status.good, 'who was not registered is told nothing')

      t.equal(await register(two, B), status.good, 'and unfencing')
      t.equal(await writes(two, 5), status.good)
      await reset(one, two, three)
    })
  })

  await t.test(
    'a write that was half received at PREEMPT AND ABORT does not land and is not answered [SPC-4 §5.13.11.2.6]',
    async t => {
      const keys = { InitialR2T: 'Yes', ImmediateData: 'No' }
      await withSessions(server, { target, keys, count: 2 }, async (first, second) => {
        const [fencer, victim] = [first!, second!]
        await register(fencer, A)
        await register(victim, B)
        await out(fencer, prOut.reserve, { key: A, type: WERO })
        await fencer.write(7, content(BLOCK, 7))
        const late = content(BLOCK, 8)
        const tag = victim.beginWrite(cdb.write10(7, 1), late)
        await victim.ping()
        t.equal(await out(fencer, prOut.preemptAndAbort, { key: A, serviceActionKey: B, type: WERO }), status.good)
        const ended = victim.collect(tag, late, 500).then(
          () => 'answered',
          () => 'not answered',
        )
        t.equal(await ended, 'not answered')
        t.equal(await turs(victim), '6/2f/00', 'told that its commands were cleared [SAM-5 §5.6]')
        t.equal(await turs(victim), '6/2a/05')
        t.same(await fencer.read(7, 1), content(BLOCK, 7))
        await reset(fencer, victim)
      })
    },
  )

  await t.test(
    'a write that was half received at PREEMPT is refused when its data are there [SPC-4 §5.13.11.2.4.3]',
    async t => {
      const keys = { InitialR2T: 'Yes', ImmediateData: 'No' }
      await withSessions(server, { target, keys, count: 2 }, async (first, second) => {
        const [fencer, victim] = [first!, second!]
        await register(fencer, A)
        await register(victim, B)
        await out(fencer, prOut.reserve, { key: A, type: WERO })
        await fencer.write(7, content(BLOCK, 7))
        const tag = victim.beginWrite(cdb.write10(7, 1), content(BLOCK, 8))
        await victim.ping()
        t.equal(await out(fencer, prOut.preempt, { key: A, serviceActionKey: B, type: WERO }), status.good)
        t.equal((await victim.collect(tag, content(BLOCK, 8))).status, status.reservationConflict)
        t.same(await fencer.read(7, 1), content(BLOCK, 7))
        await reset(fencer, victim)
      })
    },
  )

  await t.test('a write that is under way everywhere when it is fenced off: none lands after the answer', async t => {
    await withSessions(server, { target, count: 3 }, async (first, second, third) => {
      const [fencer, ...victims] = [first!, second!, third!]
      await register(fencer!, A)
      await out(fencer!, prOut.reserve, { key: A, type: WERO })
      for (let round = 0; round < 10; round++) {
        for (const victim of victims) await register(victim!, B)
        const flying = victims.flatMap(victim =>
          Array.from({ length: 8 }, (_, at) => ({
            victim,
            tag: victim!.beginWrite(cdb.write10(16 * at, 16), content(16 * BLOCK, round * 8 + at + 1)),
          })),
        )
        t.equal(await out(fencer!, prOut.preemptAndAbort, { key: A, serviceActionKey: B, type: WERO }), status.good)
        const then = await fencer!.read(0, 128)
        for (const victim of victims) await victim!.ping()
        for (const { victim, tag } of flying) await victim!.collect(tag, undefined, 1).catch(() => undefined)
        t.ok((await fencer!.read(0, 128)).equals(then), `round ${round}`)
        for (const victim of victims) while ((await turs(victim!)) !== status.good);
      }
      await reset(fencer!, ...victims.map(victim => victim!))
    })
  })

  await t.test(
    'a node that comes back with another ISID preempts itself by its key, as fence_scsi does [SPC-4 §5.13.11.2.4.3]',
    async t => {
      const node = { target, initiatorName: 'iqn.2025-01.test:node' }
      await withSession(server, { target }, async other => {
        await register(other, B)
        await withSession(server, { ...node, isid: Buffer.from('00023d000001', 'hex') }, async before => {
          await register(before, A)
          t.equal(await out(before, prOut.reserve, { key: A, type: WERO }), status.good)
        })
        t.equal(await writes(other, 1), status.good)
        t.same((await readKeys(other)).keys, [B, A], 'the loss of a nexus takes no registration away [SAM-5 §6.3.4]')
        await withSession(server, { ...node, isid: Buffer.from('00023d000002', 'hex') }, async after => {
          t.equal(await writes(after, 2), status.reservationConflict, 'another ISID is another nexus')
          await register(after, A)
          t.same((await readKeys(other)).keys, [B, A, A])
          t.equal(await out(after, prOut.preempt, { key: A, serviceActionKey: A, type: WERO }), status.good)
          t.same(
            (await readFullStatus(after)).map(({ key, holder, port, type }) => [
              key,
              holder,
              type,
              port.endsWith(',i,0x00023d000002'),
            ]),
            [
              [B, false, 0, false],
              [A, true, WERO, true],
            ],
          )
          t.equal(await writes(after, 3), status.good)
          t.equal(await turs(other), status.good)
          await reset(after, other)
        })
      })
    },
  )

  await t.test(
    'the same ISID is the same nexus: its access is there with the first command [SPC-4 §5.13.7]',
    async t => {
      const options = { target, isid: Buffer.from('00023d000077', 'hex') }
      await withSession(server, { target }, async other => {
        await withSession(server, options, async holder => {
          await register(holder, A)
          await out(holder, prOut.reserve, { key: A, type: 3 })
          await holder.write(0, content(BLOCK, 1))
          await withSession(server, options, async again => {
            t.equal(await turs(again), '6/29/07')
            t.same(await again.read(0, 1), content(BLOCK, 1))
            t.equal((await other.executeRead(cdb.read10(0, 1), BLOCK)).status, status.reservationConflict)
            await reset(again, other)
          })
        })
      })
    },
  )

  await t.test(
    'the cycle of the Windows cluster validation: each refusal where it is looked for [SPC-4 §5.13]',
    async t => {
      await withSessions(server, { target, count: 2 }, async (first, second) => {
        const [one, two] = [first!, second!]
        t.equal(
          await out(one, prOut.reserve, { key: A, type: WERO }),
          status.reservationConflict,
          'reserve before register',
        )
        await register(one, A)
        await register(two, B)
        t.equal(await out(one, prOut.reserve, { key: A, type: WERO }), status.good)
        t.equal(await out(two, prOut.reserve, { key: B, type: WERO }), status.reservationConflict)
        t.equal(
          await out(two, prOut.release, { key: B, type: WERO }),
          status.good,
          'release by a registrant that holds nothing',
        )
        t.same(await readReservation(two), { key: A, scope: 0, type: WERO })
        t.equal(await out(two, prOut.preempt, { key: B, serviceActionKey: A, type: WERO }), status.good)
        t.equal(await writes(one, 1), status.reservationConflict)
        t.equal(await turs(one), '6/2a/05')
        t.same(await readReservation(one), { key: B, scope: 0, type: WERO })
        t.equal(await out(one, prOut.release, { key: A, type: WERO }), status.reservationConflict)
        await register(one, A)
        t.equal(await out(two, prOut.release, { key: B, type: 6 }), '5/26/04')
        t.equal(await out(two, prOut.release, { key: B, type: WERO }), status.good)
        t.equal(await turs(one), '6/2a/04')
        t.equal(await out(two, prOut.clear, { key: B }), status.good)
        t.equal(await turs(one), '6/2a/03')
        t.same((await readKeys(one)).keys, [])
      })
    },
  )

  await t.test('what cannot be: unknown scopes, types, keys, and lists of wrong lengths [SPC-4 §6.16]', async t => {
    await withSession(server, { target }, async one => {
      await register(one, A)
      t.equal(await out(one, prOut.reserve, { key: A, type: 4 }), '5/24/00')
      t.equal(await out(one, prOut.reserve, { key: A, type: WERO, scope: 1 }), '5/24/00')
      t.equal(await out(one, prOut.replaceLostReservation, { serviceActionKey: A, type: WERO }), '5/24/00')
      t.equal(await out(one, prOut.preempt, { key: A, serviceActionKey: 0, type: WERO }), '5/26/00')
      t.equal(await out(one, prOut.preempt, { key: A, serviceActionKey: 0x77, type: WERO }), status.reservationConflict)
      t.equal(await out(one, prOut.register, { key: B, serviceActionKey: A }), status.reservationConflict)
      for (const length of ['00', '17', '19']) {
        const short = await one.executeWrite(cdbOf(`5f 00 00 00 00 00 00 00 ${length}`), Buffer.alloc(0x19))
        t.equal(short.sense, '5/1a/00', `a list of ${length}h bytes`)
      }
      t.same((await readKeys(one)).keys, [A])
      await reset(one)
    })
  })

  await t.test('what there is, is reported: capabilities, and data cut to the room there is [SPC-4 §6.15]', async t => {
    await withSession(server, { target }, async one => {
      t.equal((await persistentReserveIn(one, 2)).data.toString('hex'), '00081db0ea010000')
      t.equal((await persistentReserveIn(one, 4)).sense, '5/24/00')
      await register(one, A)
      t.equal((await persistentReserveIn(one, 0, { room: 9 })).data.length, 9)
      await reset(one)
    })
  })

  await t.test('all registrants: every one holds it, and it ends with the last [SPC-4 §5.13.10]', async t => {
    await withSessions(server, { target, count: 3 }, async (first, second, third) => {
      const [one, two, three] = [first!, second!, third!]
      await register(one, A)
      t.equal(await out(one, prOut.reserve, { key: A, type: 8 }), status.good)
      t.equal(await writes(two, 1), status.reservationConflict)
      await register(two, B)
      t.equal(await writes(two, 1), status.good)
      t.same(await readReservation(three), { key: 0, scope: 0, type: 8 })
      t.same(
        (await readFullStatus(three)).map(({ holder }) => holder),
        [true, true],
      )
      t.equal((await three.executeRead(cdb.read10(0, 1), BLOCK)).status, status.reservationConflict)
      await register(one, 0)
      t.equal(await writes(one, 1), status.reservationConflict)
      await register(two, 0)
      t.equal(await readReservation(three), undefined)
      t.equal(await writes(three, 2), status.good)
    })
  })

  await t.test('REGISTER AND MOVE hands the reservation to a nexus that is not even there [SPC-4 §5.13.8]', async t => {
    const isid = '00023d0000aa'
    const to = `iqn.2025-01.test:heir,i,0x${isid}`
    await withSession(server, { target }, async one => {
      await register(one, A)
      t.equal(await out(one, prOut.registerAndMove, { key: A, serviceActionKey: B, to }), '5/24/00', 'nothing to move')
      await out(one, prOut.reserve, { key: A, type: 1 })
      const move = { key: A, serviceActionKey: B, to, unreg: true }
      t.equal(await out(one, prOut.registerAndMove, { ...move, relativeTargetPort: 9 }), '5/26/00')
      t.equal(await out(one, prOut.registerAndMove, { ...move, serviceActionKey: 0 }), '5/26/00')
      t.equal(await out(one, prOut.registerAndMove, move), status.good)
      t.equal(await writes(one, 1), status.reservationConflict)
      const heir = { target, initiatorName: 'iqn.2025-01.test:heir', isid: Buffer.from(isid, 'hex') }
      await withSession(server, heir, async two => {
        t.equal(await writes(two, 1), status.good)
        t.same(await readKeys(two), { generation: (await readKeys(two)).generation, keys: [B] })
        await reset(two, one)
      })
    })
  })

  await t.test('SPEC_I_PT registers other ports too, or none at all [SPC-4 §6.16.3]', async t => {
    const isid = '00023d0000ab'
    const port = `iqn.2025-01.test:friend,i,0x${isid}`
    await withSession(server, { target }, async one => {
      const both = { serviceActionKey: A, ports: [port], allTgPt: true }
      t.equal(await out(one, prOut.registerAndIgnoreExistingKey, both), '5/26/00', 'not with this one')
      t.equal(await out(one, prOut.register, both), status.good)
      t.same((await readKeys(one)).keys, [A, A])
      t.ok((await readFullStatus(one)).some(entry => entry.port === port && entry.allTgPt))
      await out(one, prOut.reserve, { key: A, type: 6 })
      const friend = { target, initiatorName: 'iqn.2025-01.test:friend', isid: Buffer.from(isid, 'hex') }
      await withSession(server, friend, async two => {
        t.equal(await writes(two, 1), status.good)
      })
      await withSession(server, { target }, async three => {
        t.equal(await out(three, prOut.register, { serviceActionKey: B, ports: [port] }), '5/26/00', 'it is registered')
        t.same((await readKeys(three)).keys, [A, A])
      })
      await reset(one)
    })
  })

  await t.test(
    'SPEC_I_PT with the name of a node: all of its ports that are logged in, in whatever worker [SPC-4 §7.6.4.6]',
    async t => {
      const node = 'iqn.2025-01.test:many-ports'
      const options = { target, initiatorName: node.toUpperCase().replace('IQN', 'iqn') }
      await withSessions(server, { ...options, count: 3 }, async (first, second, third) => {
        const ports = [first!, second!, third!]
        await withSessions(server, { target, count: 2 }, async (owner, stranger) => {
          const [one, two] = [owner!, stranger!]
          const named = { serviceActionKey: A, nodes: [node, 'iqn.2025-01.test:nobody-here'] }
          t.equal(await out(one, prOut.register, named), status.good)
          const registered = await readFullStatus(one)
          t.same(
            registered.map(({ key }) => key),
            [A, A, A, A],
          )
          t.equal(registered.filter(({ port }) => port.startsWith(`${node},i,0x`)).length, 3)
          t.equal(await out(one, prOut.reserve, { key: A, type: WERO }), status.good)
          for (const port of ports) t.equal(await writes(port, 1), status.good, 'with the first command')
          t.equal(await writes(two, 1), status.reservationConflict)
          await withSession(server, options, async late => {
            t.equal(await writes(late, 1), status.reservationConflict, 'who comes later was not known')
            t.equal(
              await out(late, prOut.register, { serviceActionKey: B, nodes: [node] }),
              '5/26/00',
              'some of them are registered, so that none is [SPC-4 §5.13.7, table 67]',
            )
            t.equal(await out(late, prOut.register, { serviceActionKey: B, nodes: [node.slice(0, -1)] }), status.good)
            t.same((await readKeys(one)).keys, [A, A, A, A, B], 'a name that nobody has adds nobody')
          })
          await reset(one, two, ...ports)
          t.equal(await out(ports[0]!, prOut.register, { serviceActionKey: B, nodes: [node] }), status.good)
          t.same((await readKeys(one)).keys, [B, B, B], 'a node may name itself')
          const move = { key: B, serviceActionKey: A, to: node, toNode: true }
          await out(ports[0]!, prOut.reserve, { key: B, type: WERO })
          t.equal(
            await out(ports[0]!, prOut.registerAndMove, move),
            '5/26/00',
            'nobody moves to a node [SPC-4 §6.16.4]',
          )
          await reset(one, two, ...ports)
        })
      })
    },
  )

  await t.test(
    '128 ports may register; one more is too many, and none of its list is registered [SPC-4 §5.13.7]',
    async t => {
      const ports = Array.from({ length: 128 }, (_, at) => `iqn.2025-01.test:n${at},i,0x00023d000001`)
      await withSessions(server, { target, count: 2 }, async (first, second) => {
        const [one, two] = [first!, second!]
        t.equal(await out(one, prOut.register, { serviceActionKey: A, ports }), '5/55/04')
        t.same((await readKeys(one)).keys, [])
        t.equal(await out(one, prOut.register, { serviceActionKey: A, ports: ports.slice(1) }), status.good)
        t.equal((await persistentReserveIn(one, 0)).data.readUInt32BE(4), 128 * 8)
        t.equal(await register(two, B), '5/55/04')
        t.equal(await out(one, prOut.reserve, { key: A, type: WERO }), status.good)
        t.equal(await writes(one, 1), status.good)
        t.equal(await writes(two, 1), status.reservationConflict)
        t.equal(await out(one, prOut.clear, { key: A }), status.good)
        t.equal(await writes(two, 1), status.good, 'and the table is empty again')
        await reset(one, two)
      })
    },
  )

  await t.test('strangers with the same name on a free target are not known to its disks', async t => {
    const free = { target: BLANK, initiatorName: 'iqn.2025-01.test:same' }
    await withSessions(server, { ...free, count: 2 }, async (mine, theirs) => {
      const all = { serviceActionKey: A, nodes: [free.initiatorName] }
      t.equal(await out(mine!, prOut.register, all), status.good)
      t.same((await readKeys(mine!)).keys, [A])
      t.same((await readKeys(theirs!)).keys, [])
    })
  })

  await t.test(
    'LOGICAL UNIT RESET leaves registrations and reservation alone; the other LUN has its own [SPC-4 §5.13.5]',
    async t => {
      await withSessions(server, { target, count: 2 }, async (first, second) => {
        const [one, two] = [first!, second!]
        await register(one, A)
        await out(one, prOut.reserve, { key: A, type: WERO })
        t.equal(await two.manageTask(Fn.logicalUnitReset), TaskManagementStatus.functionComplete)
        t.equal(await turs(two), '6/29/03')
        t.equal(await writes(two, 1), status.reservationConflict)
        t.same(await readKeys(two, 1), { generation: 0, keys: [] })
        await two.write(0, content(BLOCK, 1), 1)
        await reset(one, two)
      })
    },
  )

  await t.test(
    'RESERVE beside registrations: GOOD without effect for who has access, else a conflict [SPC-4 §5.13.3]',
    async t => {
      const reserve6 = cdbOf('16')
      const release6 = cdbOf('17')
      await withSessions(server, { target, count: 2 }, async (first, second) => {
        const [one, two] = [first!, second!]
        const statusOf = async (initiator: Initiator, command: Buffer) => (await initiator.execute(command)).status
        t.equal(await statusOf(one, reserve6), status.good)
        for (const initiator of [one, two]) {
          t.equal(
            (await persistentReserveIn(initiator, 0)).status,
            status.reservationConflict,
            'even for the holder [SPC-2 §5.5.1]',
          )
          t.equal(await register(initiator, A), status.reservationConflict)
        }
        t.equal(await statusOf(one, release6), status.good)
        await register(one, A)
        t.equal(await statusOf(one, reserve6), status.reservationConflict, 'registered, but nothing is reserved')
        t.equal(await statusOf(two, release6), status.reservationConflict)
        await out(one, prOut.reserve, { key: A, type: WERO })
        t.equal(await statusOf(one, reserve6), status.good)
        t.equal(await statusOf(one, release6), status.good)
        t.equal(await statusOf(two, reserve6), status.reservationConflict)
        t.equal(await writes(one, 1), status.good)
        t.same(await readReservation(two), { key: A, scope: 0, type: WERO })
        await reset(one, two)
        t.equal(await turs(two), status.good)
      })
    },
  )
})
