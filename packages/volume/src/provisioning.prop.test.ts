// Writing, unmapping, anchoring, zeroing and filling in any order, by two workers and the engine, against a plain model: what every sector reads
// as, in which state it is, and what the quota counts.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { BaseFiles } from './base-files.js'
import { PROVISIONING_STATUS, Provisioning, type ProvisioningStatus } from './provisioning.js'
import { SectorStore } from './sector-store.js'
import { TestVolume } from './test-engine.js'

const SECTORS = 300
const SIZE = SECTORS * 512
const QUOTA_SECTORS = 200
const directory = mkdtempSync(join(tmpdir(), 'scsipub-provisioning-'))
t.teardown(() => rmSync(directory, { recursive: true }))

const { mapped, deallocated, anchored } = PROVISIONING_STATUS

interface Sector {
  data: Buffer
  status: ProvisioningStatus
  booked: boolean
}

/** The plain model: an array of sectors. */
class Model {
  readonly sectors: Sector[]

  constructor(base: Buffer) {
    const whole = Buffer.concat([base, Buffer.alloc(SIZE)]).subarray(0, SIZE)
    this.sectors = Array.from({ length: SECTORS }, (_, index) => ({
      data: whole.subarray(index * 512, (index + 1) * 512),
      status: index * 512 < base.length ? mapped : deallocated,
      booked: false,
    }))
  }

  get booked(): number {
    return this.sectors.filter(({ booked }) => booked).length
  }

  get content(): Buffer {
    return Buffer.concat(this.sectors.map(({ data }) => data))
  }

  /** False, and nothing changed, when the quota does not allow it. */
  map(first: number, data: Buffer, status: ProvisioningStatus): boolean {
    const count = data.length / 512
    const range = this.sectors.slice(first, first + count)
    if (this.booked + range.filter(({ booked }) => !booked).length > QUOTA_SECTORS) return false
    for (let index = 0; index < count; index++) {
      const piece = Buffer.from(data.subarray(index * 512, (index + 1) * 512))
      this.sectors[first + index] = { data: piece, status, booked: true }
    }
    return true
  }

  unmap(first: number, count: number): void {
    this.sectors.fill({ data: Buffer.alloc(512), status: deallocated, booked: false }, first, first + count)
  }

  /** Run lengths of the states. */
  get runs(): { first: number; count: number; status: ProvisioningStatus }[] {
    const runs: { first: number; count: number; status: ProvisioningStatus }[] = []
    this.sectors.forEach(({ status }, first) => {
      const last = runs.at(-1)
      if (last?.status === status) last.count++
      else runs.push({ first, count: 1, status })
    })
    return runs
  }
}

const step = fc.record({
  kind: fc.constantFrom('write', 'write', 'unmap', 'unmap', 'anchor', 'zero', 'fill', 'read'),
  first: fc.nat(SECTORS - 1),
  count: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: SECTORS })),
  worker: fc.nat(1),
})

/** Whether `action` was possible; anything but a lack of room is thrown on. */
async function fits(action: () => unknown): Promise<boolean> {
  try {
    await action()
    return true
  } catch (error) {
    if ((error as { code?: string }).code === 'space') return false
    throw error
  }
}

for (const parent of [tmpdir(), '/dev/shm']) {
  t.test(
    `what is unmapped reads as zeros and is not counted, over a base of any length or none (${parent})`,
    async t => {
      const buffer = Buffer.allocUnsafeSlow(SIZE)
      const bases = new BaseFiles()
      let run = 0
      await fc.assert(
        fc.asyncProperty(
          fc.option(fc.nat(SIZE + 5000)),
          fc.array(step, { maxLength: 40 }),
          async (baseBytes, steps) => {
            const base = randomBytes(baseBytes ?? 0)
            const basePath = join(directory, `base${run++}`)
            if (baseBytes !== null) writeFileSync(basePath, base)
            const made = new TestVolume({
              sizeBytes: SIZE,
              quotaBytes: QUOTA_SECTORS * 512,
              parent,
              ...(baseBytes !== null && { basePath }),
            })
            const model = new Model(base)
            const workers = [made.borrow(0), made.borrow(1)]
            const store = new SectorStore(bases, baseBytes === null ? undefined : { layers: [], imagePath: basePath })
            store.openOverlay(made.makeFiles(), SIZE)
            const engine = new Provisioning(store.overlay, made.control, store.base)
            try {
              for (const { kind, first, count, worker } of steps) {
                const sectors = Math.min(count, SECTORS - first)
                const range = { first, count: sectors }
                const bytes = sectors * 512
                const volume = workers[worker]!
                let agree = true
                if (kind === 'write') {
                  const data = randomBytes(bytes)
                  agree =
                    (await fits(() => volume.write(first * 512, data, 0, bytes))) === model.map(first, data, mapped)
                } else if (kind === 'fill') {
                  const pattern = randomBytes(512)
                  agree =
                    (await fits(() => engine.fill(range, pattern))) ===
                    model.map(first, Buffer.alloc(bytes, pattern), mapped)
                } else if (kind === 'zero') {
                  agree = (await fits(() => engine.zero(range))) === model.map(first, Buffer.alloc(bytes), mapped)
                } else if (kind === 'anchor') {
                  agree = (await fits(() => engine.anchor(range))) === model.map(first, Buffer.alloc(bytes), anchored)
                } else if (kind === 'unmap') {
                  engine.unmap(range)
                  model.unmap(first, sectors)
                } else {
                  await volume.read(first * 512, buffer, 0, bytes)
                  agree = buffer.subarray(0, bytes).equals(model.content.subarray(first * 512, first * 512 + bytes))
                }
                if (!agree || made.control.space.allocatedSectors !== model.booked) return false
              }
              await workers[0]?.read(0, buffer, 0, SIZE)
              const runs = engine.runs({ first: 0, count: SECTORS }, { blockSectors: 1, limit: SECTORS })
              t.same(runs, model.runs)
              return buffer.equals(model.content)
            } finally {
              for (const volume of workers) volume.release()
              store.close()
              made.remove()
              rmSync(basePath, { force: true })
            }
          },
        ),
        { numRuns: 200 },
      )
    },
  )
}
