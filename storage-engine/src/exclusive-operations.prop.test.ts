// Exclusive operations and ordinary writes in any order, with restarts in between, against a plain buffer.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ControlBlock } from '@scsipub/contract'
import fc from 'fast-check'
import t from 'tap'
import { bench, remove, spec, temporaryDirectory } from './test-bench.js'

const SECTOR = 512
const SECTORS = 96
const BASE = Buffer.from(Array.from({ length: 40 * SECTOR }, (_, at) => (at * 31) & 0xff))

const extent = fc
  .tuple(fc.nat(SECTORS - 1), fc.integer({ min: 1, max: 24 }))
  .map(([first, count]) => ({ at: first * SECTOR, length: Math.min(count, SECTORS - first) * SECTOR }))
const step = fc.record({
  what: fc.constantFrom('write', 'compareAndWrite', 'orWrite', 'writeAtomic', 'restart' as const),
  extent,
  fill: fc.nat(255),
  /** Where the comparison is made to fail, as a part of the extent; 1 and above: nowhere. */
  differs: fc.double({ min: 0, max: 2, maxExcluded: true, noNaN: true }),
})

t.test('they do what they do to a buffer, are charged for what is new, and are there after a restart', async t => {
  const property = fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async steps => {
      const dataDir = temporaryDirectory()
      try {
        const basePath = join(dataDir, 'base')
        writeFileSync(basePath, BASE)
        const disk = spec('disk', { sizeBytes: SECTORS * SECTOR, basePath })
        const model = Buffer.concat([BASE, Buffer.alloc(SECTORS * SECTOR - BASE.length)])
        const present = new Set<number>()
        let { engine, workers } = bench(dataDir)
        let descriptor = await engine.open(disk)
        let volume = workers.borrow(descriptor)
        const put = (at: number, data: Buffer) => {
          data.copy(model, at)
          for (let sector = at; sector < at + data.length; sector += SECTOR) present.add(sector)
        }
        for (const { what, extent, fill, differs } of steps) {
          const { at: position, length } = extent
          const data = Buffer.alloc(length, fill)
          const there = Buffer.from(model.subarray(position, position + length))
          if (what === 'restart') {
            await engine.close()
            ;({ engine, workers } = bench(dataDir))
            descriptor = await engine.open(disk)
            volume = workers.borrow(descriptor)
          } else if (what === 'compareAndWrite') {
            const miscompareAt = differs < 1 ? Math.floor(differs * length) : undefined
            const expected = Buffer.from(there)
            if (miscompareAt !== undefined) expected[miscompareAt]! ^= 0x20
            const operation = { name: what, position, data: Buffer.concat([expected, data]) } as const
            const result = await volume.exclusive(operation)
            if (result.miscompareAt !== miscompareAt) return false
            if (miscompareAt === undefined) put(position, data)
          } else if (what === 'write') {
            await volume.write(position, data, 0, length)
            put(position, data)
          } else {
            await volume.exclusive({ name: what, position, data })
            put(position, what === 'orWrite' ? (there.map(byte => byte | fill) as Buffer) : data)
          }
          const found = Buffer.alloc(model.length)
          await volume.read(0, found, 0, found.length)
          if (!found.equals(model)) return false
          if (new ControlBlock(descriptor.control).space.allocatedSectors !== present.size) return false
        }
        await engine.close()
        return true
      } finally {
        remove(dataDir)
      }
    }),
    { numRuns: 60 },
  )
  await t.resolves(property)
})
