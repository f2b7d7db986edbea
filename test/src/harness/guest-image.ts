// The Linux guest's kernel, initial file system and root disk: built once from Debian's packages, kept outside of the work
// tree under a name made of the recipe's content. A changed recipe builds anew; who else wants it meanwhile waits for the one who
// builds it, by a lock that the kernel lets go when that one dies.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../repository.js'
import { runProgram } from './run-program.js'

export interface GuestImage {
  readonly kernel: string
  readonly initrd: string
  /** Raw ext4 image; never written, every guest runs on an overlay. */
  readonly root: string
}

const RECIPE = join(ROOT, 'test/guest')
/** With the time of another one who builds it. */
const BUILD_MS = 1_800_000
/** `sh -c … FOLDER BUILD.SH BUILDING PACKAGES`: builds unless the folder has come meanwhile. */
const UNLESS_THERE = '[ -d "$0" ] || { sh "$1" "$2" "$3" && mv "$2" "$0"; }'

/**
 * The image, built if it is not there (about a minute). `more`: Debian packages beside those of the recipe; it is another image then.
 * @throws Error with the end of the build's output when it fails
 */
export async function guestImage(more: readonly string[] = []): Promise<GuestImage> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'scsipub-test')
  const folder = join(cache, `linux-${recipeHash(more)}`)
  if (!existsSync(folder)) {
    mkdirSync(cache, { recursive: true })
    const building = mkdtempSync(join(cache, 'building-'))
    try {
      const build = ['sh', '-c', UNLESS_THERE, folder, join(RECIPE, 'build.sh'), building, more.join(',')]
      const ran = await runProgram('flock', [`${folder}.lock`, ...build], { timeoutMs: BUILD_MS })
      if (ran.code !== 0)
        throw new Error(`the guest cannot be built (${ran.code}):\n${(ran.stdout + ran.stderr).slice(-3000)}`)
    } finally {
      rmSync(building, { recursive: true, force: true })
    }
  }
  return { kernel: join(folder, 'vmlinux'), initrd: join(folder, 'initrd.gz'), root: join(folder, 'root.img') }
}

function recipeHash(more: readonly string[]): string {
  const hash = createHash('sha256').update(more.join())
  for (const name of readdirSync(RECIPE).toSorted()) hash.update(name).update(readFileSync(join(RECIPE, name)))
  return hash.digest('hex').slice(0, 16)
}
