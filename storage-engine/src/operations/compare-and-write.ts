/** COMPARE AND WRITE: alone on the volume, so that no write comes between the comparison and the write. [SBC-3 §5.2] */
import type { ExclusiveOperation, ExclusiveResults } from '@scsipub/contract'
import type { EngineVolume } from '../engine-volume.js'

type Operation = Extract<ExclusiveOperation, { name: 'compareAndWrite' }>

/** Compares with the first half of the data and writes the second. Rejects with VolumeError. */
export async function compareAndWrite(
  { store }: EngineVolume,
  { position, data }: Operation,
): Promise<ExclusiveResults['compareAndWrite']> {
  const length = data.length / 2
  const found = await store.read(position, length)
  if (!found.equals(data.subarray(0, length))) return { miscompareAt: found.findIndex((byte, at) => byte !== data[at]) }
  store.write(position, data.subarray(length))
  return {}
}
