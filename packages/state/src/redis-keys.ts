/** The names of keys and channels in Redis; what they hold is said in `redis-scripts.ts`. */
import { FORMAT } from './record.js'
import type { CollectionName } from './store.js'

/** All collections. */
export const NAMES: readonly CollectionName[] = ['accounts', 'leases', 'images', 'claims']

const PREFIX = `scsipub:${FORMAT}:`

export const keyOf = {
  /** Without a number, so that every version of scsipub finds it. */
  format: 'scsipub:format',
  probe: `${PREFIX}probe`,
  stamp: `${PREFIX}stamp`,
  index: (collection: CollectionName) => `${PREFIX}index:${collection}`,
  record: (collection: CollectionName, id: string) => `${PREFIX}${collection}:${id}`,
  /** Channels know no databases, so they name theirs. */
  channel: (database: number, collection: CollectionName) => `${PREFIX}changes:${database}:${collection}`,
} as const

/** The collection that a channel tells of. */
export function collectionOf(channel: string): CollectionName | undefined {
  return NAMES.find(name => channel.endsWith(`:${name}`))
}
