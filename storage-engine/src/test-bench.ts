/**
 * An engine in a temporary directory with borrowers in the same thread, for the tests of this workspace.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BorrowerRequest, EngineMemory, type StorageEngineData, type VolumeSpec } from '@scsipub/contract'
import { MappingRegistry } from '@scsipub/posix'
import { type BorrowContext, BorrowedVolumes } from '@scsipub/volume'
import { type EngineOptions, StorageEngine } from './storage-engine.js'

export const MIB = 1 << 20

export function spec(volumeId: string, options: Partial<VolumeSpec> = {}): VolumeSpec {
  return { volumeId, persistence: 'persistent', sizeBytes: 4 * MIB, blockBytes: 512, quotaBytes: 0, ...options }
}

/** A new directory; the caller removes it. */
export function temporaryDirectory(parent = tmpdir()): string {
  return mkdtempSync(join(parent, 'scsipub-engine-'))
}

export function remove(directory: string): void {
  rmSync(directory, { recursive: true, force: true })
}

/** What a thread of the engine begins with, in a data directory that no server holds. */
export function engineData(dataDir: string): StorageEngineData {
  return { dataDir, logLevel: 'silent', memory: new EngineMemory().shared, mappings: new MappingRegistry().shared }
}

export interface Bench {
  engine: StorageEngine
  workers: BorrowedVolumes
}

/** An engine and one borrower, slot 0. */
export function bench(dataDir: string, options: Partial<EngineOptions> = {}): Bench {
  const workers: BorrowedVolumes = new BorrowedVolumes({
    slot: 0,
    engine: { ask: ask(() => engine) } as unknown as BorrowContext['engine'],
  })
  const engine: StorageEngine = new StorageEngine({
    dataDir,
    notify: notice => {
      if (notice.kind === 'gate.opened') workers.gateOpened(notice.volumeId)
    },
    replaced: async descriptor => workers.replaced(descriptor),
    ...options,
  })
  return { engine, workers }
}

/** A borrower's requests, answered by an engine in the same thread. */
export function ask(engine: () => StorageEngine) {
  return (request: Extract<BorrowerRequest, { volumeId: string }>): Promise<unknown> => {
    if (request.kind === 'volume.exclusive') return engine().operate(request.volumeId, request.operation)
    if (request.kind === 'volume.renew') return engine().renew(request.volumeId)
    return request.kind === 'volume.flush' ? engine().flush(request.volumeId) : engine().materialise(request.volumeId)
  }
}

export function bytes(fill: number, length = 4096): Buffer {
  return Buffer.allocUnsafeSlow(length).fill(fill)
}
