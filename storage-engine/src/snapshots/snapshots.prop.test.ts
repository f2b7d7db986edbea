import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RpcError } from '@scsipub/contract'
import { type BorrowContext, type BorrowedVolume, BorrowedVolumes } from '@scsipub/volume'
import fc from 'fast-check'
import t from 'tap'
import { StorageEngine } from '../storage-engine.js'
import { ask, remove, spec, temporaryDirectory } from '../test-bench.js'

const SECTORS = 96
const GROWN = 50_000 // more than one page of the bitmap

const range = {
  first: fc.nat(SECTORS - 1),
  count: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: SECTORS })),
}
const which = fc.nat(7)
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('write'), volume: which, worker: fc.nat(1), ...range }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('unmap'), volume: which, worker: fc.nat(1), ...range }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('snapshot'), volume: which, other: which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('clone'), snapshot: which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('resize'), volume: which, far: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove'), volume: which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('destroy'), snapshot: which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart'), power: fc.boolean() }) },
)

interface Model {
  content: Buffer
  /** Sectors that the quota counts. */
  booked: Set<number>
  standsOn: string | undefined
}

/** The engine with two workers, of which the second is not told of replacements and has to find out; and what all that should be. */
class World {
  readonly volumes = new Map<string, Model>()
  readonly snapshots = new Map<string, Model>()
  readonly #dataDir: string
  #boot = 0
  #made = 0
  #engine!: StorageEngine
  #loans = new Map<string, BorrowedVolume[]>()

  constructor(dataDir: string) {
    this.#dataDir = dataDir
    this.#start()
  }

  #start(): void {
    const context = { ask: ask(() => this.#engine) } as unknown as BorrowContext['engine']
    const workers = [0, 1].map(slot => new BorrowedVolumes({ slot, engine: context }))
    this.#engine = new StorageEngine({
      dataDir: this.#dataDir,
      bootId: `boot-${this.#boot}`,
      notify: notice => {
        if (notice.kind === 'gate.opened') workers[0]?.gateOpened(notice.volumeId)
      },
      replaced: async descriptor => workers[0]?.replaced(descriptor),
    })
    this.#loans = new Map()
    this.borrow = async (volumeId, make) => {
      const descriptor = await make(this.#engine)
      this.#loans.set(
        volumeId,
        workers.map(worker => worker.borrow(descriptor)),
      )
    }
  }
  borrow!: (volumeId: string, make: (engine: StorageEngine) => ReturnType<StorageEngine['open']>) => Promise<void>

  async begin(image: Buffer | undefined): Promise<void> {
    const basePath = join(this.#dataDir, 'image')
    if (image) writeFileSync(basePath, image)
    for (const [name, base] of [
      ['blank', undefined],
      ['imaged', image],
    ] as const) {
      const content = Buffer.alloc(SECTORS * 512)
      base?.copy(content)
      this.volumes.set(name, { content, booked: new Set(), standsOn: undefined })
      const asked = spec(name, { sizeBytes: content.length, ...(base && { basePath }) })
      await this.borrow(name, engine => engine.open(asked))
    }
  }

  async act(step: { kind: string } & Record<string, unknown>): Promise<void> {
    const name = at([...this.volumes.keys()], step.volume)
    const volume = name === undefined ? undefined : this.volumes.get(name)
    const snapshot = at([...this.snapshots.keys()], step.snapshot)
    switch (step.kind) {
      case 'write':
      case 'unmap':
        return name === undefined || !volume ? undefined : this.#change(name, volume, step as unknown as Change)
      case 'snapshot':
        return this.#snapshot(
          [...new Set([name, at([...this.volumes.keys()], step.other)])].filter(one => one !== undefined),
        )
      case 'clone':
        return snapshot === undefined ? undefined : this.#clone(snapshot)
      case 'resize': {
        if (name === undefined || !volume) return
        const sectors = Math.max(volume.content.length / 512 + 8, step.far ? GROWN : 0)
        const content = Buffer.alloc(sectors * 512)
        volume.content.copy(content)
        volume.content = content
        await this.#engine.snapshots.resize(name, content.length)
        return
      }
      case 'remove':
        if (name === undefined || this.volumes.size === 1) return
        await this.#engine.remove(name)
        this.volumes.delete(name)
        this.#loans.delete(name)
        return
      case 'destroy':
        return snapshot === undefined ? undefined : this.#destroy(snapshot)
      default:
        await this.close()
        if (step.power) this.#boot++
        this.#start()
        for (const volumeId of this.volumes.keys()) await this.borrow(volumeId, engine => engine.reopen(volumeId))
        // After another start of the machine what was unmapped is booked as zeros, until it is unmapped again.
        if (step.power) for (const [volumeId, model] of this.volumes) model.booked = await this.#mapped(volumeId)
    }
  }

  async #mapped(volumeId: string): Promise<Set<number>> {
    const { control } = await this.#engine.volume(volumeId)
    return new Set(Array.from({ length: control.space.allocatedSectors }, (_, index) => -1 - index))
  }

  async #change(name: string, model: Model, { kind, worker, first, count }: Change): Promise<void> {
    const loan = this.#loans.get(name)![worker]!
    const sectors = Math.min(count, SECTORS - first)
    const [start, length] = [first * 512, sectors * 512]
    if (kind === 'unmap') {
      model.content.fill(0, start, start + length)
      await loan.exclusive({ name: 'unmap', ranges: [{ position: start, length }], anchor: false })
    } else {
      const data = randomBytes(length)
      data.copy(model.content, start)
      await loan.write(start, data, 0, length)
    }
    // Once bookings are known by their number alone, they are not compared sector by sector any more.
    if ([...model.booked].some(sector => sector < 0)) model.booked = await this.#mapped(name)
    else
      for (let sector = first; sector < first + sectors; sector++)
        kind === 'unmap' ? model.booked.delete(sector) : model.booked.add(sector)
  }

  async #snapshot(names: string[]): Promise<void> {
    const items = names.map(volumeId => ({ volumeId, snapshotId: `s${this.#made++}` }))
    await this.#engine.snapshots.take(items)
    for (const { volumeId, snapshotId } of items) {
      const model = this.volumes.get(volumeId)!
      this.snapshots.set(snapshotId, { ...model, content: Buffer.from(model.content) })
      this.volumes.set(volumeId, { content: model.content, booked: new Set(), standsOn: snapshotId })
    }
  }

  async #clone(snapshotId: string): Promise<void> {
    const name = `c${this.#made++}`
    const content = Buffer.from(this.snapshots.get(snapshotId)!.content)
    this.volumes.set(name, { content, booked: new Set(), standsOn: snapshotId })
    await this.borrow(name, engine => engine.open(spec(name, { sizeBytes: content.length, baseSnapshot: snapshotId })))
  }

  async #destroy(snapshotId: string): Promise<void> {
    const standing = [...this.volumes.values(), ...this.snapshots.values()].some(one => one.standsOn === snapshotId)
    const refusal = await this.#engine.snapshots.destroy(snapshotId).then(
      () => undefined,
      (error: RpcError) => error.code,
    )
    if (refusal !== (standing ? 'in-use' : undefined)) throw new Error(`destroying ${snapshotId}: ${refusal}`)
    if (!standing) this.snapshots.delete(snapshotId)
  }

  /** Undefined, or what differs. */
  async difference(): Promise<string | undefined> {
    for (const [name, { content, booked }] of this.volumes) {
      for (const [worker, loan] of this.#loans.get(name)!.entries()) {
        const target = Buffer.alloc(content.length, 0xee)
        // The worker that is not told learns of another size by its next I/O.
        await loan.read(0, target, 0, 512)
        await loan.read(0, target, 0, target.length)
        if (!target.equals(content)) return `volume ${name}, worker ${worker}`
        if (loan.sizeBytes !== content.length) return `size of ${name}, worker ${worker}`
        if (loan.usage.usedBytes !== booked.size * 512) return `bookings of ${name}`
      }
    }
    for (const [name, { content }] of this.snapshots) {
      const scratch = spec(`look-${name}`, { sizeBytes: content.length, baseSnapshot: name, persistence: 'ephemeral' })
      await this.borrow('look', engine => engine.open(scratch))
      const target = Buffer.alloc(content.length, 0xee)
      const [loan] = this.#loans.get('look')!
      await loan!.read(0, target, 0, target.length)
      this.#loans.delete('look')
      await this.#engine.destroy(scratch.volumeId)
      if (!target.equals(content)) return `snapshot ${name}`
    }
    return undefined
  }

  close(): Promise<void> {
    return this.#engine.close()
  }
}

interface Change {
  kind: 'write' | 'unmap'
  worker: number
  first: number
  count: number
}

const at = <T>(list: readonly T[], index: unknown): T | undefined =>
  list.length === 0 || typeof index !== 'number' ? undefined : list[index % list.length]

t.test('volumes, snapshots and clones equal flat arrays, whatever is done to them', async t => {
  let snapshots = 0
  await fc.assert(
    fc.asyncProperty(
      fc.option(fc.nat(SECTORS * 512)),
      fc.array(step, { minLength: 5, maxLength: 30 }),
      async (imageBytes, steps) => {
        const dataDir = temporaryDirectory('/dev/shm')
        const world = new World(dataDir)
        try {
          await world.begin(imageBytes === null ? undefined : randomBytes(imageBytes))
          for (const one of steps) await world.act(one)
          snapshots += world.snapshots.size
          const difference = await world.difference()
          if (difference !== undefined) throw new Error(difference)
        } finally {
          await world.close().catch(() => undefined)
          remove(dataDir)
        }
      },
    ),
    { numRuns: 40 },
  )
  t.ok(snapshots > 40, `40 histories with ${snapshots} snapshots at their ends`)
})
