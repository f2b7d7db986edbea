// SANITIZE on the wire: what is readable afterwards, what is answered meanwhile, and that nothing but its end ends it [SBC-3 §4.11, §5.24].

import { cdb, Initiator, overwriteList, provisioningCdb, sanitizeAction } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLOCK, content, portal, until, withSession } from './lab.js'

const SHARED = iqn('shared')
const IMAGE = content(1 << 20, 42)
/** Each pass over it takes four seconds, so that an overwriting is seen under way. */
const LARGE_BYTES = 256 << 20
const [LARGE, SMALL] = [1, 2]
const SMALL_BYTES = 16 << 20
const config = {
  free: { quotaBytes: 64 << 10 },
  targets: [
    {
      name: 'shared',
      auth: 'none',
      luns: [{ image: 'photo' }, { sizeBytes: LARGE_BYTES }, { sizeBytes: SMALL_BYTES }],
    },
  ],
}
const { overwrite, blockErase, cryptographicErase, exitFailureMode } = sanitizeAction
const LOGICAL_UNIT_RESET = 5
const PASSES = 5
/** The most there can be: two minutes. */
const NO_END = 31

/** Begins to overwrite a LUN; answered at once. */
function beginOverwrite(disk: Initiator, lun: number, passes: number, pattern: Buffer) {
  const list = overwriteList(passes, pattern)
  const command = provisioningCdb.sanitize(overwrite, { immed: true, parameterListLength: list.length })
  return disk.executeWrite(command, list, { lun })
}

/** Waits until the unit is ready, past unit attentions. */
async function untilReady(disk: Initiator, lun: number): Promise<void> {
  let ready = false
  let asking = false
  await until(
    'the unit is ready',
    () => {
      if (!asking) {
        asking = true
        void disk.execute(cdb.testUnitReady(), lun).then(({ status }) => {
          ready = status === 0
          asking = false
        })
      }
      return ready
    },
    { deadlineMs: 120_000 },
  )
}

await withServer(t, { config, images: { photo: IMAGE } }, async server => {
  await t.test(
    'erasing leaves zeros, also where an image shone through, and gives everything back [SBC-3 §4.11.1]',
    async t => {
      for (const action of [blockErase, cryptographicErase]) {
        for (const target of [iqn('photo'), SHARED]) {
          await withSession(server, { target }, async disk => {
            await disk.write(100, content(8 * BLOCK, 1))
            t.match(await disk.execute(provisioningCdb.sanitize(action)), { status: 0 })
            t.equal((await disk.execute(cdb.testUnitReady())).status, 0, 'without IMMED it has ended')
            t.same(await disk.read(0, 2048), Buffer.alloc(IMAGE.length))
            const { data } = await disk.executeRead(provisioningCdb.getLbaStatus(0, 24), 24)
            t.equal(data.toString('hex', 16, 24), '0000080001000000', 'all of it is deallocated')
            await disk.write(5, content(BLOCK, 2))
            t.same(await disk.read(5, 1), content(BLOCK, 2), 'and can be written again')
          })
        }
      }
    },
  )

  await t.test(
    'overwriting leaves the pattern in every block; beyond the quota it is refused and changes nothing [SBC-3 §5.24.2.2]',
    async t => {
      const list = overwriteList(0x82, Buffer.from('a5', 'hex'))
      const command = provisioningCdb.sanitize(overwrite, { parameterListLength: list.length })
      await withSession(server, { target: SHARED }, async disk => {
        t.match(await disk.executeWrite(command, list), { status: 0 })
        t.same(await disk.read(0, 2048), Buffer.alloc(IMAGE.length, 0xa5))
      })
      await withSession(server, { target: iqn('photo') }, async disk => {
        t.match(await disk.executeWrite(command, list), { status: 2, sense: '7/27/07' })
        t.same(await disk.read(0, 16), IMAGE.subarray(0, 16 * BLOCK))
      })
    },
  )

  await t.test(
    'meanwhile every session gets 2/04/1B with the progress, resets end nothing, and NOPs are answered [SBC-3 §4.11.2]',
    async t => {
      const pattern = content(BLOCK, 3)
      const first = await Initiator.login(portal(server), { target: SHARED })
      await withSession(server, { target: SHARED }, async other => {
        t.match(await beginOverwrite(first, SMALL, PASSES, pattern), { status: 0 })
        t.match(await beginOverwrite(first, LARGE, NO_END, pattern), { status: 0 })
        for (const disk of [first, other]) {
          const result = await disk.execute(cdb.testUnitReady(), LARGE)
          t.equal(result.sense, '2/04/1b')
          t.equal((result.senseData?.[15] ?? 0) & 0x80, 0x80, 'there is a progress indication')
          t.equal((await disk.executeRead(cdb.read10(0, 1), BLOCK, LARGE)).sense, '2/04/1b')
          t.equal((await disk.executeWrite(cdb.write10(0, 1), Buffer.alloc(BLOCK), { lun: LARGE })).sense, '2/04/1b')
          t.equal((await disk.execute(provisioningCdb.sanitize(blockErase), LARGE)).sense, '2/04/1b')
          t.equal((await disk.executeRead(cdb.inquiry(), 255, LARGE)).status, 0)
          const sense = await disk.executeRead(cdb.requestSense(), 252, LARGE)
          t.equal(sense.data.toString('hex', 12, 14), '041b')
          await disk.ping()
          t.equal((await disk.read(0, 1)).length, BLOCK, 'a NOP is answered, and so is another unit')
          t.equal((await disk.execute(cdb.testUnitReady(), LARGE)).sense, '2/04/1b', 'while it goes on')
        }
        t.equal(await first.manageTask(LOGICAL_UNIT_RESET, { lun: LARGE }), 0)
        await first.close('reset')
        await other.execute(cdb.testUnitReady(), LARGE) // the reset's unit attention
        t.equal((await other.execute(cdb.testUnitReady(), LARGE)).sense, '2/04/1b', 'still under way')
        await untilReady(other, SMALL)
        t.same(await other.read(SMALL_BYTES / BLOCK - 1, 1, SMALL), pattern)
        const exit = provisioningCdb.sanitize(exitFailureMode)
        t.match(await other.execute(exit, SMALL), { status: 0 }, 'nothing has failed')
      })
    },
  )
})

t.test(
  'a server that dies meanwhile goes on at its next start, before anybody sees the old data [SBC-3 §4.11.2]',
  async t => {
    const dataDir = t.testdir()
    const pattern = content(BLOCK, 4)
    await withServer(t, { config, images: { photo: IMAGE }, dataDir }, async server => {
      const disk = await Initiator.login(portal(server), { target: SHARED })
      await disk.write(7, content(BLOCK, 1), LARGE)
      t.match(await beginOverwrite(disk, LARGE, PASSES, pattern), { status: 0 })
      await server.kill()
    })
    await withServer(t, { config, dataDir }, async server => {
      await withSession(server, { target: SHARED }, async disk => {
        t.equal((await disk.executeRead(cdb.read10(7, 1), BLOCK, LARGE)).sense, '2/04/1b')
        await untilReady(disk, LARGE)
        t.same(await disk.read(7, 1, LARGE), pattern)
      })
    })
  },
)
