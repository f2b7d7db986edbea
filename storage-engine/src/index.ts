export { StorageEngine, type EngineOptions } from './storage-engine.js'
export type { EngineVolume } from './engine-volume.js'
export { DataDirectoryError } from './data-directory.js'
export type { StorageEngineData } from './main.js'
