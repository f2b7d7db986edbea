/**
 * What session workers have the engine do to a volume while nobody else reads or writes it: one function an operation, and the checks and the
 * translation of errors that they share.
 */
import { type ExclusiveName, type ExclusiveOperation, type ExclusiveResults, RpcError } from '@scsipub/contract'
import { SECTOR_BYTES, VolumeError } from '@scsipub/volume'
import type { EngineVolume } from './engine-volume.js'
import { compareAndWrite } from './operations/compare-and-write.js'
import { orWrite } from './operations/or-write.js'

/**
 * Carries out an operation; the gate is closed and nothing is in flight. Rejects with `RpcError`: a code of `VolumeErrorCode`, or 'bad-request'
 * when the operation does not fit the volume, with nothing done.
 */
export async function carryOut(
  volume: EngineVolume,
  operation: ExclusiveOperation,
): Promise<ExclusiveResults[ExclusiveName]> {
  try {
    requireData(volume, operation)
    switch (operation.name) {
      case 'compareAndWrite':
        return await compareAndWrite(volume, operation)
      case 'orWrite':
        return await orWrite(volume, operation)
      case 'writeAtomic':
        await volume.writeAtomic(operation.position, operation.data)
        return {}
    }
  } catch (error) {
    throw error instanceof VolumeError ? new RpcError(error.code, error.message) : error
  }
}

/** Refuses data that is not bytes, or not for whole sectors of the volume. */
function requireData(volume: EngineVolume, { name, position, data }: ExclusiveOperation): void {
  const { volumeId, sizeBytes } = volume.descriptor.spec
  const length = name === 'compareAndWrite' ? data.length / 2 : data.length
  const whole = position % SECTOR_BYTES === 0 && length % SECTOR_BYTES === 0
  if (data instanceof Uint8Array && whole && position >= 0 && length > 0 && position + length <= sizeBytes) return
  throw new RpcError('bad-request', `${name} of ${length} bytes at ${position} does not fit volume ${volumeId}`)
}
