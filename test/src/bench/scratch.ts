// A folder in memory for disks: no figure here is to be one of somebody's SSD.

import { mkdtempSync, rmSync, statfsSync } from 'node:fs'

const MEMORY = '/dev/shm'

/**
 * Gives `use` a folder in memory, and removes it with all in it.
 * @throws Error when there are less than `wantedBytes` free
 */
export async function inMemory(wantedBytes: number, use: (folder: string) => Promise<void>): Promise<void> {
  const { bavail, bsize } = statfsSync(MEMORY)
  if (bavail * bsize < wantedBytes) throw new Error(`${MEMORY} has less than ${wantedBytes} bytes free`)
  const folder = mkdtempSync(`${MEMORY}/scsipub-bench-`)
  // Also when the benchmark is broken off: a gibibyte that nobody sees is missed all the same.
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  try {
    await use(folder)
  } finally {
    process.off('exit', remove)
    remove()
  }
}
