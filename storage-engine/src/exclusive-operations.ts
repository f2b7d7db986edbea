/**
 * What session workers have the engine do to a volume while nobody else reads or writes it: one function an operation, and the checks and the
 * translation of errors that they share.
 */
import {
  type ExclusiveName,
  type ExclusiveOperation,
  type ExclusiveResults,
  RpcError,
  VOLUME_STAGE,
} from '@scsipub/contract'
import { hindrance, SECTOR_BYTES, VolumeError } from '@scsipub/volume'
import type { EngineVolume } from './engine-volume.js'
import { compareAndWrite } from './operations/compare-and-write.js'
import { lbaStatus } from './operations/lba-status.js'
import { orWrite } from './operations/or-write.js'
import { unmap } from './operations/unmap.js'
import { writeSame } from './operations/write-same.js'

/**
 * Carries out an operation; the gate is closed and nothing is in flight. Rejects with `RpcError`: a code of `VolumeErrorCode`, or 'bad-request'
 * when the operation does not fit the volume, with nothing done.
 */
export async function carryOut(
  volume: EngineVolume,
  operation: ExclusiveOperation,
): Promise<ExclusiveResults[ExclusiveName]> {
  return translated(() => carryOutNow(volume, operation))
}

/** Runs `action`; what it throws is in terms of `RpcError` then. */
export async function translated<T>(action: () => T | Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw error instanceof VolumeError ? new RpcError(error.code, error.message) : error
  }
}

async function carryOutNow(
  volume: EngineVolume,
  operation: ExclusiveOperation,
): Promise<ExclusiveResults[ExclusiveName]> {
  requireReady(volume, operation)
  switch (operation.name) {
    case 'compareAndWrite':
      requireData(volume, operation.position, operation.data, operation.data.length / 2)
      return compareAndWrite(volume, operation)
    case 'orWrite':
      requireData(volume, operation.position, operation.data, operation.data.length)
      return orWrite(volume, operation)
    case 'writeAtomic':
      requireData(volume, operation.position, operation.data, operation.data.length)
      await volume.writeAtomic(operation.position, operation.data)
      return {}
    case 'unmap':
      for (const range of operation.ranges) requireExtent(volume, range.position, range.length)
      return unmap(volume, operation)
    case 'writeSame':
      requireData(volume, operation.position, operation.data, operation.length)
      requireBlock(volume, operation.data.length)
      return writeSame(volume, operation)
    case 'lbaStatus':
      requireExtent(volume, operation.position, operation.length)
      return lbaStatus(volume, operation)
    case 'sanitize':
      if (operation.method === 'overwrite') requireBlock(volume, operation.data.length)
      return volume.sanitizer.begin({ ...operation, data: Buffer.from(operation.data) })
    case 'exitSanitizeFailure':
      return volume.sanitizer.exitFailure()
  }
}

/** No data may be touched while the volume is being sanitized, or could not be; a failed operation may be repeated or given up. */
function requireReady({ control, descriptor }: EngineVolume, { name }: ExclusiveOperation): void {
  const { stage } = control
  const afterFailure = name === 'sanitize' || name === 'exitSanitizeFailure'
  if (stage === VOLUME_STAGE.sanitizeFailed && afterFailure) return
  const fault = hindrance(stage, descriptor.spec.volumeId)
  if (fault) throw fault
}

/** Refuses a pattern that is not whole blocks. */
function requireBlock({ descriptor }: EngineVolume, length: number): void {
  const { volumeId, blockBytes } = descriptor.spec
  if (length > 0 && length % blockBytes === 0) return
  throw new RpcError('bad-request', `a pattern of ${length} bytes does not fit the blocks of volume ${volumeId}`)
}

/** Refuses data that is not bytes, or `length` bytes at `position` that are not whole sectors of the volume. */
function requireData(volume: EngineVolume, position: number, data: unknown, length: number): void {
  if (!(data instanceof Uint8Array)) throw new RpcError('bad-request', 'the data is not bytes')
  requireExtent(volume, position, length)
}

/** Refuses what is not whole sectors of the volume. */
function requireExtent(volume: EngineVolume, position: number, length: number): void {
  const { volumeId, sizeBytes } = volume.descriptor.spec
  const whole = position % SECTOR_BYTES === 0 && length % SECTOR_BYTES === 0
  if (whole && position >= 0 && length > 0 && position + length <= sizeBytes) return
  throw new RpcError('bad-request', `${length} bytes at ${position} do not fit volume ${volumeId}`)
}
