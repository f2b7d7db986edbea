// The emulated machine that all Linux guests run in, as arguments of QEMU, with a disk of its own and its job on a second one.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type GuestImage, guestImage } from './guest-image.js'
import { runProgram } from './run-program.js'

export interface GuestFiles {
  readonly image: GuestImage
  /** What the guest writes to its root disk: nobody else's, and gone with it. */
  readonly overlay: string
  /** The disk with the script that the guest runs, see test/guest/init.sh. */
  readonly job: string
  /** A folder for what else belongs to the guest. */
  readonly folder: string
  remove(): void
}

/** A second network card, on a wire to one other guest: paths of datagram sockets. */
export interface Wire {
  readonly local: string
  readonly remote: string
  /** Last byte of the card's address. */
  readonly number: number
}

export interface MachineOptions {
  /** Host name, and the end of the initiator name. */
  readonly name?: string
  readonly memoryMiB?: number
  readonly wire?: Wire | undefined
}

const SECTOR = 512

/** `packages`: see `guestImage`. @throws Error when the image cannot be built, or the overlay not be made */
export async function guestFiles(script: string, packages?: readonly string[]): Promise<GuestFiles> {
  const image = await guestImage(packages)
  const folder = mkdtempSync(join(tmpdir(), 'scsipub-guest-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  const overlay = join(folder, 'root.qcow2')
  const backing = ['-b', image.root, '-F', 'raw', overlay]
  const created = await runProgram('qemu-img', ['create', '-q', '-f', 'qcow2', ...backing])
  if (created.code !== 0) {
    remove()
    throw new Error(created.stderr)
  }
  const job = join(folder, 'job')
  const text = Buffer.from(script)
  writeFileSync(job, Buffer.concat([text, Buffer.alloc(SECTOR - (text.length % SECTOR))]))
  return { image, overlay, job, folder, remove }
}

export const QEMU = 'qemu-system-x86_64'

/**
 * Arguments of QEMU but for the serial ports: the first one is the kernel's console, the second one the job's. The network card's id is `net`, that of
 * one with a wire to another guest `wire`.
 */
export function machine(
  { image, overlay, job }: GuestFiles,
  { name = 'guest', memoryMiB = 768, wire }: MachineOptions = {},
): string[] {
  return [
    // One old processor: the kernel makes much of newer ones at its start, and an emulated instruction costs the same.
    ['-accel', 'tcg', '-cpu', 'Nehalem', '-smp', '1', '-m', String(memoryMiB)],
    ['-kernel', image.kernel, '-initrd', image.initrd],
    // The kernel's check of the timer panics where the machine is emulated on a busy host.
    ['-append', `console=ttyS0 quiet panic=-1 net.ifnames=0 mitigations=off no_timer_check guest=${name}`],
    ['-drive', `file=${overlay},format=qcow2,if=virtio,cache=unsafe`],
    ['-drive', `file=${job},format=raw,if=virtio,readonly=on`],
    ['-netdev', 'user,id=net', '-device', 'virtio-net-pci,netdev=net,romfile='],
    wire ? wireCard(wire) : [],
    ['-nodefaults', '-display', 'none', '-no-reboot'],
  ].flat()
}

function wireCard({ local, remote, number }: Wire): string[] {
  const ends = `local.type=unix,local.path=${local},remote.type=unix,remote.path=${remote}`
  const address = `52:54:00:00:00:${number.toString(16).padStart(2, '0')}`
  return ['-netdev', `dgram,id=wire,${ends}`, '-device', `virtio-net-pci,netdev=wire,mac=${address},romfile=`]
}
