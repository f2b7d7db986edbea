/** Opens the state store that the configuration asks for: Redis where a url is given, else the embedded one. The other one's library is not loaded (16 MiB). */
import { parseStateUrl } from '@scsipub/config'
import type { StateStore } from './store.js'

export interface StateOptions {
  /** Redis, in a form of `parseStateUrl`. */
  readonly url?: string
  /** The folder of the embedded store, made when it is not there; not touched where there is a url. */
  readonly path: string
  /** With a url: replicas that must have a write before it is answered; 0 unless told. */
  readonly replicas?: number
  /** Called with each setting of Redis that puts records at risk, once. */
  readonly advise?: (text: string) => void
}

/**
 * Opens the state store. A Redis that cannot be reached is no error: the store is unavailable, says so, and goes on trying. Rejects when
 * the url is malformed (the message shows nothing of it), or the embedded store cannot be opened.
 */
export async function openState({ url, path, replicas = 0, advise = () => {} }: StateOptions): Promise<StateStore> {
  if (url === undefined) {
    const { LmdbStore } = await import('./lmdb-store.js')
    return new LmdbStore(path)
  }
  const address = parseStateUrl(url)
  if (typeof address === 'string') throw new RangeError(`the url of the state store ${address}`)
  const { RedisStore } = await import('./redis-store.js')
  return RedisStore.open({ address, replicas, advise })
}
