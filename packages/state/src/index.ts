// The session state store, one contract for Redis and lmdb.

export { openState, type StateOptions } from './open-state.js'
export type { Change, CollectionName, Damaged, Entry, PutOptions, StateRecord, StateStore } from './store.js'
export { isDamaged, StateError } from './store.js'
