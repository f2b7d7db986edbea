// A LUN whose volume is replaced while a session begins with it: the descriptor is old when it arrives, and the notice of the growth came before.

import { Borrower, ControlBlock, type LunGrant, VOLUME_STAGE, type VolumeDescriptor } from '@scsipub/contract'
import { senseCodes } from '@scsipub/scsi'
import { BorrowedVolumes } from '@scsipub/volume'
import t from 'tap'
import { Lun } from './lun.js'
import type { Services } from './services.js'

const SECTORS = 2048

/** A descriptor of `sectors` with a control block of its own. */
function descriptorOf(sectors: number): VolumeDescriptor {
  const spec = {
    volumeId: 'lab.lun0',
    persistence: 'persistent' as const,
    sizeBytes: sectors * 512,
    blockBytes: 512,
    quotaBytes: 0,
  }
  const identity = { naa: `6${'0'.repeat(31)}`, serial: 's' }
  return { spec, identity, control: ControlBlock.create(sectors, 0).shared }
}

/** A session's LUN by a descriptor that says `replaced`; the engine answers `volume.renew` with `renewed`. */
function lunOf(stage: number, renewed: VolumeDescriptor) {
  const stale = descriptorOf(SECTORS)
  new ControlBlock(stale.control).stage = stage as ControlBlock['stage']
  const asked: string[] = []
  const ask = async ({ kind }: { kind: string }) => {
    asked.push(kind)
    return renewed
  }
  const services = {
    volumes: new BorrowedVolumes({ slot: 0, engine: { ask } as never }),
    engine: { ask },
  } as unknown as Services
  const grant: LunGrant = {
    lun: 0,
    product: 'LAB',
    physicalBlockBytes: 512,
    readOnly: false,
    removable: false,
    thin: true,
    volume: stale,
  }
  const target = { name: 'iqn.x:lab', portalGroupTag: 1, luns: [0] }
  return { lun: new Lun(grant, target, services, new Borrower(1, 'port'), () => {}), asked }
}

const { capacityDataChanged } = senseCodes
/** As many turns as everything here needs. */
const settle = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
}

t.test('what had grown before the session began is its size, and it is told [SBC-3 §4.4.1]', async t => {
  const { lun, asked } = lunOf(VOLUME_STAGE.replaced, descriptorOf(2 * SECTORS))
  t.equal(lun.lu.sizeBlocks, SECTORS)
  await settle()
  t.same(asked, ['volume.renew'])
  t.equal(lun.lu.sizeBlocks, 2 * SECTORS)
  t.same(lun.nexus.unitAttentions, [capacityDataChanged])
})

t.test('a volume that has other files, and the same size, is told to nobody', async t => {
  const { lun } = lunOf(VOLUME_STAGE.replaced, descriptorOf(SECTORS))
  await settle()
  t.same(lun.nexus.unitAttentions, [])
})

t.test('a descriptor that is the present one costs no question', async t => {
  const { lun, asked } = lunOf(VOLUME_STAGE.unwritten, descriptorOf(2 * SECTORS))
  await settle()
  t.same(asked, [])
  t.equal(lun.lu.sizeBlocks, SECTORS)
})
