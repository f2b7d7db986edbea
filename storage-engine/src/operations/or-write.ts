/** ORWRITE: alone on the volume, so that no write between the reading and the writing is undone. [SBC-3 §5.5] */
import type { ExclusiveOperation, ExclusiveResults } from '@scsipub/contract'
import type { EngineVolume } from '../engine-volume.js'

type Operation = Extract<ExclusiveOperation, { name: 'orWrite' }>

/** Sets the bits of the data in what is there. Rejects with VolumeError. */
export async function orWrite(
  { store }: EngineVolume,
  { position, data }: Operation,
): Promise<ExclusiveResults['orWrite']> {
  const blocks = await store.read(position, data.length)
  for (let at = 0; at < blocks.length; at++) blocks[at]! |= data[at]!
  store.write(position, blocks)
  return {}
}
