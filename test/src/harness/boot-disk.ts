// A disk image that a PC boots from: GRUB in front, and one ext2 partition with a file to read and a counter to write. Made
// from Debian's grub-pc-bin and e2fsprogs, without mounting anything.
//
// What runs from it writes to the first serial port: `@sum` and the SHA-256 of the file, `@visits` and an `x` for every boot of
// this disk, `@end`; then the machine halts. So one boot shows that the BIOS reads and writes through whatever serves the disk.

import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runProgram } from './run-program.js'

export interface BootDisk {
  readonly image: Buffer
  /** SHA-256 of the file on it, in hex. */
  readonly sum: string
}

const SECTOR = 512
const MODULES = 'biosdisk part_msdos ext2 serial terminal echo ls hashsum gcry_sha256 loadenv test halt'.split(' ')
const GRUB = '/usr/lib/grub/i386-pc'

/** The partition begins at 1 MiB, behind the place of GRUB's core. */
const FIRST_SECTOR = 2048
const PARTITION_MIB = 8
/** The first of four entries of 16 bytes, which end where the signature begins. */
const PARTITION_TABLE = 446
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
  const content = randomBytes(2 << 20)
  const files = join(scratch, 'files')
  mkdirSync(files)
  writeFileSync(join(files, 'data'), content)
  await must('grub-editenv', [join(files, 'grubenv'), 'create'])
  const partition = join(scratch, 'partition')
  await must('mke2fs', ['-q', '-t', 'ext2', '-d', files, partition, `${PARTITION_MIB}M`])
  const script = join(scratch, 'grub.cfg')
  writeFileSync(script, SCRIPT)
  const core = join(scratch, 'core.img')
  await must('grub-mkimage', ['-O', 'i386-pc', '-o', core, '-p', '(hd0,msdos1)/', '-c', script, ...MODULES])
  const image = assemble(readFileSync(join(GRUB, 'boot.img')), readFileSync(core), readFileSync(partition))
  return { image, sum: createHash('sha256').update(content).digest('hex') }
}

/** Boot sector with the partition table, GRUB's core behind it, the partition. */
function assemble(boot: Buffer, core: Buffer, partition: Buffer): Buffer {
  if (core.length > (FIRST_SECTOR - 1) * SECTOR) throw new Error('GRUB does not fit in front of the partition')
  const image = Buffer.alloc(FIRST_SECTOR * SECTOR + partition.length)
  boot.copy(image)
  image.fill(0, PARTITION_TABLE, SIGNATURE)
  const active = 0x80
  const linux = 0x83
  Buffer.from([active, 0xfe, 0xff, 0xff, linux, 0xfe, 0xff, 0xff]).copy(image, PARTITION_TABLE)
  image.writeUInt32LE(FIRST_SECTOR, PARTITION_TABLE + 8)
  image.writeUInt32LE(partition.length / SECTOR, PARTITION_TABLE + 12)
  image.writeUInt16BE(0x55aa, SIGNATURE)
  core.copy(image, SECTOR)
  partition.copy(image, FIRST_SECTOR * SECTOR)
  return image
}

async function must(program: string, args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runProgram(program, args)
  if (code !== 0) throw new Error(`${program} ended with code ${code}: ${stdout}${stderr}`)
}
