// Damage to the files of a disk that is not a loss of power: a file that is gone, cut, or changed where a checksum stands. The engine has to refuse that disk,
// and must neither empty it nor serve anything else than what was there.

import {
  closeSync,
  existsSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Dice } from '../dice.js'

/** Header bytes that the bitmaps' checksum covers. */
const HEADER_BYTES = 96
const FILES = ['overlay', 'bitmap', 'bitmap.durable', 'volume.json', 'reservations.json'] as const

/** Damages one file of the volume in `folder`; tells which, and how. */
export function damage(folder: string, dice: Dice): string {
  const file = dice.pick(FILES.filter(name => existsSync(join(folder, name))))
  const path = join(folder, file)
  // Without this file there are no reservations that were to be kept, which is an honest state.
  const ways = file === 'reservations.json' ? (['cut', 'changed'] as const) : (['gone', 'cut', 'changed'] as const)
  const way = file === 'overlay' ? dice.pick(['gone', 'cut'] as const) : dice.pick(ways)
  if (way === 'gone') rmSync(path)
  else if (way === 'cut') truncateSync(path, dice.below(statSync(path).size))
  else if (file.endsWith('.json')) writeFileSync(path, '{}')
  else flip(path, dice.below(HEADER_BYTES))
  return `${file} ${way}`
}

function flip(path: string, position: number): void {
  const fd = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(fd, byte, 0, 1, position)
  byte[0]! ^= 0x10
  writeSync(fd, byte, 0, 1, position)
  closeSync(fd)
}
