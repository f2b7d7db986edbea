// Files of a data directory that belong to nothing that the engine knows: what a removal, a making or a change of files has left, though a start has come since.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const VOLUME_FILES = [
  'volume.json',
  'overlay',
  'bitmap',
  'bitmap.durable',
  'intent',
  'reservations.json',
  'sanitize.json',
]
const SNAPSHOT_FILES = ['snapshot.json', 'overlay', 'bitmap']
/** A small file that was being written: the next writing of it takes the name. */
const DRAFT = /\.new$/

/** Their paths below the data directory, once all volumes and snapshots of these names are open or have been looked at. */
export function strayFiles(
  dataDir: string,
  { volumes, snapshots }: { volumes: readonly string[]; snapshots: readonly string[] },
): string[] {
  const entries = (...path: string[]) => readdirSync(join(dataDir, ...path)).filter(name => !DRAFT.test(name))
  const within = (known: readonly string[], ...path: string[]) =>
    entries(...path)
      .filter(name => !known.includes(name))
      .map(name => join(...path, name))
  return [
    ...within(['lock', 'ephemeral', 'tokens', 'volumes', 'snapshots']),
    ...within(volumes, 'volumes'),
    ...within(snapshots, 'snapshots'),
    ...within([], 'ephemeral'),
    ...volumes.flatMap(id => within(VOLUME_FILES, 'volumes', id)),
    ...snapshots.flatMap(id => within(SNAPSHOT_FILES, 'snapshots', id)),
  ]
}
