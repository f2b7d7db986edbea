// The LUNs of a session when they change: what is found under a number, what REPORT LUNS lists, and which unit attentions there are.

import type { LunGrant } from '@scsipub/contract'
import { senseCodes, type Target } from '@scsipub/scsi'
import t from 'tap'
import type { Lun } from './lun.js'
import { SessionLuns } from './session-luns.js'

const { powerOnOccurred, reportedLunsDataChanged } = senseCodes
const NAA = '6f0c0ffee0123456789abcdef000000'

/** As much of a grant and a LUN as is looked at. `unit` tells identities apart. */
const grantOf = (lun: number, unit = lun % 10) =>
  ({ lun, volume: { identity: { naa: `${NAA}${unit}`, serial: 's' } } }) as LunGrant
const make = ({ lun, volume }: LunGrant, target: Target) =>
  ({ lun, target, lu: { identity: volume.identity }, nexus: { unitAttentions: [] } }) as unknown as Lun

function lunsOf(...numbers: number[]) {
  const luns = new SessionLuns({
    target: { name: 'iqn.x:lab', portalGroupTag: 1 },
    grants: numbers.map(lun => grantOf(lun)),
    make,
  })
  const pending = (lun: number) => luns.byNumber.get(lun)?.nexus.unitAttentions
  return { luns, pending }
}

t.test('a session begins with its LUNs in order, and nothing is pending', async t => {
  const { luns, pending } = lunsOf(7, 0, 255)
  t.same(luns.target.luns, [0, 7, 255])
  t.same(pending(7), [])
  t.equal(luns.byNumber.get(7)?.target, luns.target)
})

t.test('others are told by 3F/0E, a new one begins by 29/01 [SPC-4 §6.33, SAM-5 §6.3.1]', async t => {
  const { luns, pending } = lunsOf(0, 1)
  const { byNumber } = luns
  t.same(luns.change([grantOf(5), grantOf(3)], []), [])
  t.same(luns.target.luns, [0, 1, 3, 5])
  t.same([0, 1, 3, 5].map(pending), [
    [reportedLunsDataChanged],
    [reportedLunsDataChanged],
    [powerOnOccurred],
    [powerOnOccurred],
  ])
  t.equal(byNumber.get(5)?.lun, 5, 'the map is the same one, for those who have it')
})

t.test('REPORT LUNS clears it on every LUN, and nothing else [SAM-5 §5.14]', async t => {
  const { luns, pending } = lunsOf(0, 1)
  luns.change([grantOf(2)], [])
  luns.clear(reportedLunsDataChanged)
  t.same([0, 1, 2].map(pending), [[], [], [powerOnOccurred]])
})

t.test('one that goes is returned, not found any more, and not told of itself', async t => {
  const { luns, pending } = lunsOf(0, 1, 2)
  const old = luns.byNumber.get(1)!
  t.same(luns.change([], [1, 9]), [old])
  t.equal(luns.byNumber.get(1), undefined)
  t.same(luns.target.luns, [0, 2])
  t.same(old.nexus.unitAttentions, [])
  t.same(pending(2), [reportedLunsDataChanged])
})

t.test('a number that goes and comes at once is another unit', async t => {
  const { luns, pending } = lunsOf(0, 1)
  const old = luns.byNumber.get(1)!
  t.same(luns.change([grantOf(1, 8)], [1]), [old])
  t.not(luns.byNumber.get(1), old)
  t.same(pending(1), [powerOnOccurred])
  t.same(pending(0), [reportedLunsDataChanged])
  t.same(luns.change([grantOf(1, 9)], []).length, 1, 'also where nobody said that the old one goes')
})

t.test('what changes nothing is told to nobody: a LUN that is there as it is, one that is not there', async t => {
  const { luns, pending } = lunsOf(0, 1)
  const before = luns.byNumber.get(1)
  t.same(luns.change([grantOf(1)], [9]), [])
  t.equal(luns.byNumber.get(1), before)
  t.same([0, 1].map(pending), [[], []])
})
