// What the overlay costs: reads of a volume that stands half on a base image against reads of one that is written all over,
// both on our server: `npm run bench -- bitmap`.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { alternate } from './alternate.js'
import { fillDisk, writeHalfOfBlocks, writeHalfOfSectors, writeNoise } from './disks.js'
import { BITMAP_GOAL, BITMAP_LOADS } from './mixes.js'
import type { Options } from './options.js'
import { inMemory } from './scratch.js'
import { Scsipub } from './scsipub.js'
import { heading, row } from './table.js'

const IMAGE = 'noise'

/** Prints the table, line by line as it comes into being. */
export async function benchBitmap({ extent, only }: Options): Promise<void> {
  await inMemory(4.1 * extent.diskBytes, async folder => {
    const image = addNoiseImage(folder, extent.diskBytes)
    const plain = [{ sizeBytes: extent.diskBytes }]
    const onImage = [{ image: IMAGE }]
    const scsipub = await Scsipub.start(folder, { plain, blocks: onImage, sectors: onImage })
    try {
      const theirs = scsipub.url('plain')
      await fillDisk(theirs, image)
      await writeHalfOfBlocks(scsipub.url('blocks'), extent.diskBytes)
      await writeHalfOfSectors(scsipub.url('sectors'), extent.diskBytes)
      console.log(heading('half base', 'plain'))
      for (const unit of ['blocks', 'sectors']) {
        for (const load of BITMAP_LOADS) {
          const at = load.program === 'iscsi-perf' ? 'sectors' : 'blocks'
          const name = `4 KiB reads at ${at}, half of the ${unit} written`
          if (!name.includes(only)) continue
          const rounds = await alternate(load, { ours: scsipub.url(unit), theirs }, extent)
          console.log(row(name, rounds, unit === 'blocks' ? BITMAP_GOAL : undefined))
        }
      }
    } finally {
      await scsipub.stop()
    }
  })
}

/** Puts a disk of noise into the catalog of a data directory; the path of its file. */
function addNoiseImage(dataDir: string, sizeBytes: number): string {
  const catalog = join(dataDir, 'catalog')
  mkdirSync(catalog, { recursive: true })
  const file = join(catalog, `${IMAGE}.img`)
  writeNoise(file, sizeBytes)
  writeFileSync(join(catalog, `${IMAGE}.json`), JSON.stringify({ name: IMAGE, title: 'Noise', file: `${IMAGE}.img` }))
  return file
}
