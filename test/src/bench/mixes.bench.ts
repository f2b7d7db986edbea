// Our server beside tgtd, with equal disks in memory, one session at a time: `npm run bench -- mixes`.

import { join } from 'node:path'
import { alternate } from './alternate.js'
import { fillDisk, writeNoise } from './disks.js'
import { MIXES } from './mixes.js'
import type { Options } from './options.js'
import { inMemory } from './scratch.js'
import { Scsipub } from './scsipub.js'
import { heading, row } from './table.js'
import { Tgtd } from './tgtd.js'

/** Prints the table, line by line as it comes into being. */
export async function benchMixes({ extent, only }: Options): Promise<void> {
  await inMemory(3.1 * extent.diskBytes, async folder => {
    const noise = join(folder, 'noise')
    const disk = join(folder, 'tgtd-disk')
    writeNoise(noise, extent.diskBytes)
    writeNoise(disk, extent.diskBytes)
    const scsipub = await Scsipub.start(folder, { bench: [{ sizeBytes: extent.diskBytes }] })
    const tgtd = await Tgtd.start(disk).catch(async error => {
      await scsipub.stop()
      throw error
    })
    try {
      const urls = { ours: scsipub.url('bench'), theirs: tgtd.url }
      await fillDisk(urls.ours, noise)
      await fillDisk(urls.theirs, noise)
      console.log(heading('scsipub', 'tgtd'))
      for (const { name, load, goal } of MIXES.filter(mix => mix.name.includes(only))) {
        console.log(row(name, await alternate(load, urls, extent), goal))
      }
    } finally {
      await tgtd.stop()
      await scsipub.stop()
    }
  })
}
