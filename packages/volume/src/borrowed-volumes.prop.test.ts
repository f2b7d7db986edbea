import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { TestVolume } from './test-engine.js'

const SECTORS = 400
const SIZE = SECTORS * 512
const directory = mkdtempSync(join(tmpdir(), 'scsipub-model-'))
t.teardown(() => rmSync(directory, { recursive: true }))

const step = fc.record({
  kind: fc.constantFrom('read', 'write', 'write'),
  first: fc.nat(SECTORS - 1),
  count: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: SECTORS })),
  worker: fc.nat(1),
})

for (const parent of [tmpdir(), '/dev/shm']) {
  t.test(`reads and writes of two workers over a base of any length equal a flat array (${parent})`, async t => {
    const buffer = Buffer.allocUnsafeSlow(SIZE + 512)
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.option(fc.nat(SIZE + 5000)), fc.array(step, { maxLength: 30 }), async (baseBytes, steps) => {
        const model = Buffer.alloc(SIZE)
        const basePath = join(directory, `base${run++}`)
        if (baseBytes !== null) {
          const base = randomBytes(baseBytes)
          writeFileSync(basePath, base)
          base.copy(model)
        }
        const made = new TestVolume({ sizeBytes: SIZE, parent, ...(baseBytes !== null && { basePath }) })
        const workers = [made.borrow(0), made.borrow(1)]
        const written = new Set<number>()
        try {
          for (const { kind, first, count, worker } of steps) {
            const volume = workers[worker]
            const sectors = Math.min(count, SECTORS - first)
            const length = sectors * 512
            if (!volume) throw new Error('no worker')
            if (kind === 'write') {
              randomBytes(length).copy(buffer, 7)
              buffer.copy(model, first * 512, 7, 7 + length)
              await volume.write(first * 512, buffer, 7, length)
              for (let sector = first; sector < first + sectors; sector++) written.add(sector)
            } else {
              buffer.fill(0xee)
              await volume.read(first * 512, buffer, 7, length)
              if (!buffer.subarray(7, 7 + length).equals(model.subarray(first * 512, first * 512 + length)))
                return false
              if (buffer[6] !== 0xee || buffer[7 + length] !== 0xee) return false
            }
          }
          await workers[0]?.read(0, buffer, 0, SIZE)
          return (
            buffer.subarray(0, SIZE).equals(model) &&
            made.control.space.allocatedSectors === written.size &&
            made.control.inFlight() === 0
          )
        } finally {
          for (const volume of workers) volume.release()
          made.remove()
          rmSync(basePath, { force: true })
        }
      }),
      { numRuns: 150 },
    )
    t.pass('150 histories')
  })
}
