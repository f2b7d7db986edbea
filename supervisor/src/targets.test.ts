/** How disks of a target are named to the engine and to sessions. */
import t from 'tap'
import { type Disk, grantOf, type Target, volumeSpec } from './targets.js'

const kind = { blockBytes: 512, readOnly: false, removable: false, thin: true }
const disk = (lun: number): Disk => ({ lun, product: `DISK ${lun}`, sizeBytes: 1 << 20, kind })
const target = (disks: Disk[], isPrivate = false): Target => ({ name: 'iqn.x:leaf', private: isPrivate, disks })

t.test(
  'a disk is known by its LUN, not by its place: one that goes leaves the volumes of the others alone',
  async t => {
    const [second, third] = [disk(3), disk(255)]
    const session = { id: 9, quotaBytes: 4096 }
    const sparse = target([second, third])
    t.same(
      sparse.disks.map(each => volumeSpec(sparse, each, session).volumeId),
      ['leaf.lun3', 'leaf.lun255'],
    )
    t.equal(volumeSpec(target([third], true), third, session).volumeId, 'session-9-lun255')
    const volume = {
      spec: volumeSpec(sparse, third, session),
      identity: { naa: '6'.repeat(32), serial: 's' },
      control: new SharedArrayBuffer(8),
    }
    t.match(grantOf(third, volume), { lun: 255, product: 'DISK 255', physicalBlockBytes: 512, volume })
  },
)
