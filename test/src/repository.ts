// Where things are: seen from the compiled file, test/dist/, the repository is two folders up.

import { fileURLToPath } from 'node:url'

/** Absolute path of the folder that holds the root package.json. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
