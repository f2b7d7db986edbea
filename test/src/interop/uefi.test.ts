// The iSCSI initiator of UEFI firmware boots a PC from our disks: the firmware finds the system partition, and boot loader and
// file systems read and write through it.

import t from 'tap'
import { makeBootDisk, readBootReport } from '../harness/boot-disk.js'
import { bootWithUefi } from '../harness/ovmf.js'
import { iqn, withServer } from '../harness/server.js'
import { until } from '../protocol/lab.js'

t.test('UEFI firmware boots from an iSCSI disk', async t => {
  const { image, sum } = await makeBootDisk(t.testdir())
  const config = { targets: [{ name: 'own', auth: 'none', luns: [{ image: 'system' }] }] }
  await withServer(t, { config, images: { system: image } }, async ({ port, log }) => {
    for (const visits of ['x', 'xx']) {
      const { code, console } = await bootWithUefi({ targetName: iqn('own'), port })
      t.equal(code, 0, 'the machine came to its end', { console })
      t.match(console, `iSCSI(${iqn('own')}`, 'the firmware boots from the target')
      t.match(console, /UEFI SCSIPUB/, 'under the name that INQUIRY gave')
      t.same(readBootReport(console), { sum, visits, ended: true }, `boot ${visits.length} reads and writes`, {
        console,
      })
    }
    const opened = () => log.filter(line => line.event === 'session.opened')
    await until('both sessions are logged', () => opened().length >= 2)
    t.match(opened(), [{ initiator: /:uefi$/, isid: '801234560001' }, { isid: '801234560001' }], 'by its own initiator')
  })
})
