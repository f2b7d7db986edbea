/** Opens the state store that the configuration asks for. */
import { LmdbStore } from './lmdb-store.js'
import type { StateStore } from './store.js'

export interface StateOptions {
  /** The folder of the embedded store, made when it is not there. */
  readonly path: string
}

/** Opens the state store; rejects when that cannot be done. */
export async function openState({ path }: StateOptions): Promise<StateStore> {
  return new LmdbStore(path)
}
