// What the oracle of the chaos tests takes a sector for.

import t from 'tap'
import { BASE_TAG, dataOf, holds, SECTOR_BYTES } from './sector-value.js'

t.test('a disk that grew beyond its snapshot holds what that has, and zeros behind its end', t => {
  const below = dataOf(BASE_TAG, 0, 2)
  const content = Buffer.concat([below, Buffer.alloc(2 * SECTOR_BYTES)])
  const isBelow = (found: Buffer, sector: number) =>
    holds(found, sector * SECTOR_BYTES, sector, { kind: 'below' }, below)
  for (const sector of [0, 1, 2, 3]) t.ok(isBelow(content, sector), `sector ${sector}`)
  const other = Buffer.alloc(content.length, 1)
  for (const sector of [0, 1, 2, 3]) t.notOk(isBelow(other, sector), `sector ${sector} of another disk`)
  t.end()
})
