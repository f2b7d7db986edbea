// Copies and tokens of sessions whose worker dies: what has ended is known in the next worker, and tokens are good there; a copy under way ends with its connection.

import {
  cdb,
  copyCdb,
  copyList,
  Initiator,
  naaDesignation,
  populateList,
  tokenInformation,
  writeUsingList,
} from '@scsipub/testkit'
import t from 'tap'
import { iqn } from '../harness/server.js'
import { BLOCK, content, portal, until } from '../protocol/lab.js'
import { makeBusy } from '../upgrade/lab.js'
import { type WorkerLab, withWorkerLab } from './worker-lab.js'

const target = iqn('shared')
const LARGE = [{ name: 'large', auth: 'none', luns: [{ sizeBytes: 64 << 20 }] }]
const MIB = 1 << 20
const MIB_BLOCKS = MIB / BLOCK

async function unitOf(initiator: Initiator, lun: number): Promise<Buffer> {
  const { data } = await initiator.executeRead(cdb.vitalProductData(0x83), 1024, lun)
  return naaDesignation(data.subarray(4))
}

/** Ends the worker in which the only session is, and waits until the session has ended or gone on. */
async function endItsWorker(server: WorkerLab): Promise<void> {
  const there = server.workers.threadIds.find(id => server.workers.sessionsOn(id).length > 0)!
  const recovered = server.count('sessions.recovered')
  const lost = server.count('session.lost')
  await server.cause(there, 'terminated')
  await server.untilBuried(there)
  await until(
    'it is decided',
    () => server.count('sessions.recovered') + server.count('session.lost') > recovered + lost,
  )
}

await withWorkerLab(t, {}, async server => {
  await t.test(
    'a session that has copied, and has a token, goes on as often as its worker dies [SPC-4 §5.17]',
    async t => {
      const initiator = await Initiator.login(portal(server), { target })
      const data = content(MIB, 4)
      await initiator.write(0, data)
      const units = [await unitOf(initiator, 0), await unitOf(initiator, 1)]
      const segment = { source: 0, destination: 1, blocks: MIB_BLOCKS, sourceLba: 0, destinationLba: 0 }
      const list = copyList(units, [segment], 9)
      t.equal((await initiator.executeWrite(copyCdb.extendedCopy(list.length), list)).status, 0)
      const wanted = populateList([[0, MIB_BLOCKS]], {})
      t.equal((await initiator.executeWrite(copyCdb.populateToken(1, wanted.length), wanted)).status, 0)
      let use: Buffer = Buffer.alloc(0)
      for (const lba of [4_096, 8_192]) {
        await server.untilTold()
        await endItsWorker(server)
        t.equal((await initiator.executeRead(copyCdb.copyStatus(9), 255)).data[4]! & 0x7f, 0x01, 'the copy is known')
        const { token } = tokenInformation((await initiator.executeRead(copyCdb.tokenInformation(1), 1024)).data)
        use = writeUsingList(Buffer.from(token!), [[lba, MIB_BLOCKS]], {})
        t.equal((await initiator.executeWrite(copyCdb.writeUsingToken(2, use.length), use, { lun: 1 })).status, 0)
        t.ok((await initiator.read(lba, MIB_BLOCKS, 1)).equals(data), 'the token stands for the data')
      }
      t.equal(server.count('session.lost'), 0)
      await initiator.logout()
      await server.untilSessions(0)
      const late = await Initiator.login(portal(server), { target })
      t.match(
        await late.executeWrite(copyCdb.writeUsingToken(2, use.length), use, { lun: 1 }),
        { status: 2 },
        'the token ends with its session, in whichever worker that is',
      )
      await late.logout()
      await initiator.close()
      await late.close()
    },
  )
})

await withWorkerLab(t, { targets: LARGE }, async server => {
  await t.test('a copy in the background makes its session busy until it ends', async t => {
    const initiator = await Initiator.login(portal(server), { target: iqn('large') })
    await makeBusy(initiator)
    await server.untilTold()
    await endItsWorker(server)
    await initiator.wire.closed
    t.equal(server.count('session.lost'), 1)
    t.match(server.log.findLast(({ event }) => event === 'session.lost')?.why, /commands were under way|while it did/)
  })
})
