export { DataDirectoryError } from './data-directory.js'
export type { EngineVolume } from './engine-volume.js'
export { type EngineOptions, StorageEngine } from './storage-engine.js'
