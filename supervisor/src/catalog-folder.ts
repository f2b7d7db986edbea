/** The folder of the catalog in the data directory, which is the first thing of it that a server needs. */
import { accessSync, constants, mkdirSync } from 'node:fs'
import { join } from 'node:path'

/** Makes the folder with all above it. @throws Error with one line for the operator when it cannot be */
export function catalogFolder(dataDir: string): string {
  const folder = join(dataDir, 'catalog')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
    return folder
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new Error(
      `cannot use the data directory ${dataDir} (${code ?? message}); make it a writable folder or change dataDir`,
    )
  }
}
