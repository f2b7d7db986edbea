// iPXE, the initiator in network cards' ROMs, boots a PC from our disks: BIOS, boot loader and its file systems read and write
// through it.

import t, { type Test } from 'tap'
import { type BootReport, makeBootDisk, readBootReport } from '../harness/boot-disk.js'
import { HOST_IN_GUEST } from '../harness/guest.js'
import { bootWithIpxe } from '../harness/ipxe.js'
import { iqn, type Server, withServer } from '../harness/server.js'

/** Boots from LUN 0 of a target; what the boot loader on the disk reported. */
async function boot(t: Test, server: Server, name: string): Promise<BootReport> {
  const { code, console } = await bootWithIpxe(
    `set initiator-iqn iqn.2025-01.pub.scsipub.test:ipxe
sanboot iscsi:${HOST_IN_GUEST}::${server.port}:0:${iqn(name)}`,
  )
  t.equal(code, 0, `${name}: the machine came to its end`, { console })
  t.match(console, /Registered SAN device 0x80/, `${name}: iPXE has the disk`, { console })
  return readBootReport(console)
}

t.test('iPXE boots from iSCSI disks', async t => {
  const { image, sum } = await makeBootDisk(t.testdir())
  const config = { targets: [{ name: 'own', auth: 'none', luns: [{ image: 'system' }] }] }
  await withServer(t, { config, images: { system: image } }, async server => {
    t.same(
      await boot(t, server, 'own'),
      { sum, visits: 'x', ended: true },
      'an own disk over an image: read, and written to',
    )
    t.same(await boot(t, server, 'own'), { sum, visits: 'xx', ended: true }, 'which remembers what was written')
    t.same(
      await boot(t, server, 'system'),
      { sum, visits: 'x', ended: true },
      'an image of the catalog: a disk of its own',
    )
    t.notOk(
      server.log.some(line => line.event === 'session.failed'),
      'no session failed',
    )
  })
})
