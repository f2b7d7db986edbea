// The Debian packages that tests need: real initiators, a real target, an emulated machine, a Redis. Never skipped
// silently: they are installed where that is possible, otherwise the command to type is the message.

import { spawnSync } from 'node:child_process'

/** Initiators and a target that run on this machine. */
export const INITIATORS = ['libiscsi-bin', 'qemu-utils', 'qemu-block-extra', 'tgt']

/** The state store that paid sessions can have beside the embedded one. */
export const REDIS = ['redis-server']

/** Judges unit files. */
export const SYSTEMD = ['systemd']

/** What builds and runs the emulated machines. */
export const GUESTS = ['qemu-system-x86', 'debootstrap', 'busybox-static', 'cpio', 'e2fsprogs', 'xz-utils', 'zstd']

/** What boots a machine from the network: firmware with an initiator in it, and a boot loader for the disk. */
export const FIRMWARE = ['ipxe-qemu', 'ovmf', 'grub-pc-bin', 'grub-efi-amd64-bin', 'grub-common', 'mtools']

/**
 * Sees to it that packages are there.
 * @param {string[]} names
 * @returns {string | undefined} what the reader has to do, or nothing when all is well
 */
export function missingPackages(names) {
  const missing = absent(names)
  if (missing.length === 0) return
  const install = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (spawnSync('apt-get', ['--version']).error)
    return `these Debian packages (or their like) are needed: ${missing.join(' ')}`
  if (process.getuid?.() !== 0) return `Debian packages are missing. As root:\n  apt-get update && ${install}`
  console.log(`installing ${missing.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  for (const line of ['apt-get update', install]) {
    const [program, ...args] = line.split(' ')
    const done = spawnSync(program, args, { env, encoding: 'utf8' })
    if (done.status !== 0) return `${line} failed:\n${done.stdout}${done.stderr}`
  }
  const still = absent(names)
  return still.length === 0 ? undefined : `still missing after the installation: ${still.join(' ')}`
}

function absent(names) {
  if (names.length === 0) return []
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the form is dpkg-query's own
  const query = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\\n', ...names], {
    encoding: 'utf8',
  })
  const there = new Set()
  for (const line of (query.stdout ?? '').split('\n')) {
    const [name, status] = line.split(' ')
    if (status === 'installed') there.add(name)
  }
  return names.filter(name => !there.has(name))
}
