/** The system call on which every promise of durability rests, as a value, so that tests can make it fail or stop there. */
import { fdatasync } from 'node:fs'
import { promisify } from 'node:util'

/** Writes an open file's data to its storage; rejects with system errors. */
export type Sync = (fd: number) => Promise<void>
export const syncData: Sync = promisify(fdatasync)
