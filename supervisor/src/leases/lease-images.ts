/**
 * Private images: what a LUN was when a snapshot was taken, for the account alone, whose LUNs may begin as it. The data is a snapshot of the storage
 * engine under the same name; here is whose it is. It stays when the lease goes.
 *
 * A record is written before its snapshot is taken (`making`) and before it is destroyed (`removing`), so a start knows what to finish. A
 * snapshot without a record is kept: a state store that has forgotten it must not cost anybody data.
 */
import { isDamaged, StateError, type StateStore } from '@scsipub/state'
import type { Log } from '../log.js'
import { compileRecord } from '../record-schema.js'
import { leaseError } from './lease-error.js'
import { newLeaseId } from './lease-names.js'
import type { LeaseVolumes } from './lease-volumes.js'
import { OneAtATime } from './one-at-a-time.js'

/** A private image as its owner sees it. `createdAt`: ISO 8601. */
export interface ImageView {
  readonly id: string
  readonly accountId: string
  readonly name: string
  readonly sizeBytes: number
  readonly createdAt: string
}

interface ImageRecord {
  readonly format: 1
  readonly id: string
  readonly accountId: string
  readonly node: string
  readonly state: 'making' | 'ready' | 'removing'
  readonly name: string
  readonly sizeBytes: number
  readonly createdAt: number
}

interface Image {
  record: ImageRecord
  version: number
}

const text = { type: 'string', minLength: 1, maxLength: 255 }
const validate = compileRecord<ImageRecord>({
  type: 'object',
  additionalProperties: false,
  required: 'format id accountId node state name sizeBytes createdAt'.split(' '),
  properties: {
    format: { const: 1 },
    id: text,
    accountId: text,
    node: text,
    state: { enum: ['making', 'ready', 'removing'] },
    name: { type: 'string', maxLength: 200 },
    sizeBytes: { type: 'integer', minimum: 512 },
    createdAt: { type: 'integer', minimum: 0 },
  },
})

export interface LeaseImagesParts {
  readonly store: StateStore
  readonly volumes: LeaseVolumes
  readonly node: string
  readonly log: Log
  readonly now: () => number
}

export class LeaseImages {
  readonly #parts: LeaseImagesParts
  readonly #images = new Map<string, Image>()
  readonly #removals = new OneAtATime()

  constructor(parts: LeaseImagesParts) {
    this.#parts = parts
  }

  /** Takes in the images that there are; the values finish what was interrupted, one each. Rejects with `StateError`. */
  async load(): Promise<(() => Promise<void>)[]> {
    const { store, volumes, node, log } = this.#parts
    const snapshots = await volumes.snapshots()
    const later: (() => Promise<void>)[] = []
    for (const entry of await store.list('images')) {
      const { id, version } = entry
      if (isDamaged(entry) || !validate(entry.value) || entry.value.id !== id) {
        log.warn({ event: 'image.refused', imageId: id, why: 'its record is damaged' })
        continue
      }
      const record = entry.value
      if (record.node !== node) continue
      const image = { record, version }
      const isThere = snapshots.has(id)
      if (record.state === 'ready' && !isThere) {
        log.warn({ event: 'image.refused', imageId: id, why: 'its snapshot is not in the data directory' })
        continue
      }
      this.#images.set(id, image)
      if (record.state === 'making' && isThere) later.push(() => this.#put(image, { ...record, state: 'ready' }))
      else if (record.state !== 'ready') later.push(() => this.#finishRemoval(image).catch(ignoreInUse))
    }
    return later
  }

  /** The images of an account, oldest first, with those whose removal has begun. */
  list(accountId: string): ImageView[] {
    return this.#of(accountId)
      .filter(({ state }) => state !== 'making')
      .sort((a, b) => a.createdAt - b.createdAt)
      .map(viewOf)
  }

  /** An image that a disk can begin as. */
  get(accountId: string, id: string): ImageView | undefined {
    const record = this.#of(accountId).find(image => image.id === id && image.state === 'ready')
    return record && viewOf(record)
  }

  /** Bytes of all images of an account, also of those that are being made and of those that are not quite gone. */
  bytes(accountId: string): number {
    return this.#of(accountId).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  }

  /** Makes an image, which counts from now on; `take` has the snapshot of that name taken and gives its size. Rejects with `LeaseError`. */
  async make(
    { accountId, name, sizeBytes }: { accountId: string; name: string; sizeBytes: number },
    take: (snapshotId: string) => Promise<number>,
  ): Promise<ImageView> {
    const id = `image-${newLeaseId()}`
    const { node, now } = this.#parts
    const record = { format: 1, id, accountId, node, state: 'making', name, sizeBytes, createdAt: now() } as const
    const image: Image = { record, version: 0 }
    this.#images.set(id, image)
    try {
      await this.#put(image, record)
    } catch (error) {
      this.#images.delete(id) // if it was written all the same, the next start removes it
      throw error
    }
    try {
      await this.#put(image, { ...record, sizeBytes: await take(id), state: 'ready' })
    } catch (error) {
      await this.#destroy(image).catch(() => this.#images.delete(id)) // the next start does it
      throw error
    }
    const view = this.get(accountId, id)
    if (!view) throw new Error('an image that has been made is there')
    return view
  }

  /** Removes an image of the account. Rejects with `LeaseError`: 'image-unknown', 'image-in-use'. */
  remove(accountId: string, id: string): Promise<void> {
    return this.#removals.run(id, async () => {
      const image = this.#images.get(id)
      if (image?.record.accountId !== accountId) throw leaseError('image-unknown', `there is no image ${id}`)
      await this.#put(image, { ...image.record, state: 'removing' })
      await this.#finishRemoval(image)
    })
  }

  /** Rejects with `LeaseError` 'image-in-use' when disks stand on it: it is there as before then. */
  async #finishRemoval(image: Image): Promise<void> {
    try {
      await this.#destroy(image)
    } catch (error) {
      if (isInUse(error)) await this.#put(image, { ...image.record, state: 'ready' })
      throw error
    }
  }

  #of(accountId: string): ImageRecord[] {
    return [...this.#images.values()].map(({ record }) => record).filter(record => record.accountId === accountId)
  }

  async #destroy(image: Image): Promise<void> {
    const { id } = image.record
    await this.#parts.volumes.thaw(id)
    await translated(() => this.#parts.store.remove('images', id, image.version))
    this.#images.delete(id)
  }

  async #put(image: Image, record: ImageRecord): Promise<void> {
    image.version = await translated(() => this.#parts.store.put('images', record.id, record, image.version))
    image.record = record
  }
}

function viewOf({ id, accountId, name, sizeBytes, createdAt }: ImageRecord): ImageView {
  return { id, accountId, name, sizeBytes, createdAt: new Date(createdAt).toISOString() }
}

function isInUse(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'image-in-use'
}

function ignoreInUse(error: unknown): void {
  if (!isInUse(error)) throw error
}

async function translated<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    if (!(error instanceof StateError)) throw error
    throw leaseError('store-unavailable', `the state store does not answer: ${error.message}`)
  }
}
