// A disk image that a PC boots from, with a BIOS or with UEFI firmware: GRUB in front of the partitions and on an EFI system
// partition, and one ext2 partition with a file to read and a counter to write. Made from Debian's packages, without mounting
// anything.
//
// What runs from it writes to the first serial port: `@sum` and the SHA-256 of the file, `@visits` and an `x` for every boot of
// this disk, `@end`; then the machine halts. So one boot shows that the firmware reads and writes through whatever serves the disk.

import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runProgram } from './run-program.js'

export interface BootDisk {
  readonly image: Buffer
  /** SHA-256 of the file on it, in hex. */
  readonly sum: string
}

/** What the boot loader reported. */
export interface BootReport {
  readonly sum: string | undefined
  readonly visits: string | undefined
  /** Whether it came to its end. */
  readonly ended: boolean
}

const SECTOR = 512
const MODULES = 'part_msdos ext2 serial terminal echo hashsum gcry_sha256 loadenv test halt'.split(' ')
const BOOT_SECTOR = '/usr/lib/grub/i386-pc/boot.img'

/** The first partition begins at 1 MiB, behind the place of GRUB's core. */
const FIRST_SECTOR = 2048
const PARTITION_MIB = 8
/** Four entries of 16 bytes, which end where the signature begins. */
const PARTITION_TABLE = 446
const PARTITION_ENTRY = 16
const SIGNATURE = 510

const SCRIPT = `
serial --unit=0 --speed=115200
terminal_output serial
echo "@sum"
sha256sum (hd0,msdos1)/data
load_env -f (hd0,msdos1)/grubenv visits
set visits="x\${visits}"
save_env -f (hd0,msdos1)/grubenv visits
echo "@visits \${visits}"
echo "@end"
halt
`

/**
 * Makes a disk with random content.
 * @param scratch an existing folder for what is in between
 * @throws Error with the output of the program that failed
 */
export async function makeBootDisk(scratch: string): Promise<BootDisk> {
  const path = (name: string) => join(scratch, name)
  const grub = (format: string, out: string, modules: readonly string[]) =>
    must('grub-mkimage', ['-O', format, '-o', path(out), '-p', '/', '-c', path('grub.cfg'), ...MODULES, ...modules])
  const content = randomBytes(2 << 20)
  mkdirSync(path('files'))
  writeFileSync(path('files/data'), content)
  writeFileSync(path('grub.cfg'), SCRIPT)
  await must('grub-editenv', [path('files/grubenv'), 'create'])
  await must('mke2fs', ['-q', '-t', 'ext2', '-d', path('files'), path('linux'), `${PARTITION_MIB}M`])
  await grub('i386-pc', 'core.img', ['biosdisk'])
  await grub('x86_64-efi', 'boot.efi', [])
  const efi = ['-i', path('efi')]
  await must('mformat', [...efi, '-C', '-T', String((PARTITION_MIB << 20) / SECTOR), '-h', '64', '-s', '32', '::'])
  await must('mmd', [...efi, '::/EFI', '::/EFI/BOOT'])
  await must('mcopy', [...efi, path('boot.efi'), '::/EFI/BOOT/BOOTX64.EFI'])
  const [core, linux, system] = ['core.img', 'linux', 'efi'].map(name => readFileSync(path(name))) as [
    Buffer,
    Buffer,
    Buffer,
  ]
  const image = assemble(readFileSync(BOOT_SECTOR), core, [
    { type: 0x83, content: linux },
    { type: 0xef, content: system },
  ])
  return { image, sum: createHash('sha256').update(content).digest('hex') }
}

/** Boot sector with the partition table, GRUB's core behind it, the partitions one after the other. */
function assemble(boot: Buffer, core: Buffer, partitions: readonly { type: number; content: Buffer }[]): Buffer {
  if (core.length > (FIRST_SECTOR - 1) * SECTOR) throw new Error('GRUB does not fit in front of the partitions')
  const image = Buffer.concat([Buffer.alloc(FIRST_SECTOR * SECTOR), ...partitions.map(({ content }) => content)])
  boot.copy(image)
  core.copy(image, SECTOR)
  image.fill(0, PARTITION_TABLE, SIGNATURE)
  image.writeUInt16BE(0x55aa, SIGNATURE)
  let sector = FIRST_SECTOR
  for (const [index, { type, content }] of partitions.entries()) {
    const entry = PARTITION_TABLE + index * PARTITION_ENTRY
    Buffer.from([0, 0xfe, 0xff, 0xff, type, 0xfe, 0xff, 0xff]).copy(image, entry)
    image.writeUInt32LE(sector, entry + 8)
    image.writeUInt32LE(content.length / SECTOR, entry + 12)
    sector += content.length / SECTOR
  }
  return image
}

/** Finds what the boot loader reported in all that a machine printed. */
export function readBootReport(console: string): BootReport {
  return {
    sum: /@sum\s[\s\S]*?([0-9a-f]{64})/.exec(console)?.[1],
    visits: /@visits (x+)/.exec(console)?.[1],
    ended: /@end/.test(console),
  }
}

async function must(program: string, args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runProgram(program, args)
  if (code !== 0) throw new Error(`${program} ended with code ${code}: ${stdout}${stderr}`)
}
