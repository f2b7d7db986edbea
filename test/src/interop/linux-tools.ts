// What the guest of linux-commands.test.ts does with the disks of one target: lines of sg3_utils and of the kernel's own tools,
// each for a command of the command table, with the exit code and the words that must come of it.
//
// In the script $a and $b are ordinary disks, $r a removable one, $k one with blocks of 4096 bytes, $o a read-only one and $u one
// to give blocks back on; /tmp/A and /tmp/B hold a block of these letters, /tmp/AB both, /tmp/0 one of zeros; `at DISK LBA`
// prints a block, `same DISK LBA FILE` compares one and `bytes 0A …` prints bytes. $g is $r, and $h an
// ordinary disk, without the kernel's block layer: that one prevents removal while it is open, and heeds what it finds write protected.

export interface ToolStep {
  /** Operation code, and service action where there is one, of the command that it is for: `9E/12`. */
  readonly code: string
  readonly name: string
  readonly line: string
  /** Exit code of the tool; 0 unless told. */
  readonly exit?: number
  readonly says?: RegExp
}

/** Exit codes of sg3_utils. */
const exit = {
  notReady: 2,
  illegalRequest: 5,
  dataProtect: 7,
  miscompare: 14,
  reservationConflict: 24,
  conditionMet: 25,
} as const

/** WRITE(10) of the first block. */
const WRITE_FIRST = '2a 00 00 00 00 00 00 00 01 00'

/** Files and functions that lines are made with. */
export const PREPARE_BLOCKS = `
head -c 512 /dev/zero > /tmp/0
tr '\\0' A < /tmp/0 > /tmp/A
tr '\\0' B < /tmp/0 > /tmp/B
cat /tmp/A /tmp/B > /tmp/AB
at() { dd if=$1 bs=512 skip=$2 count=1 iflag=direct status=none; }
put() { dd if=$3 of=$1 bs=512 seek=$2 count=1 oflag=direct conv=notrunc status=none; }
same() { at $1 $2 | cmp - $3; }
bytes() { for byte; do printf "\\\\$(printf %03o 0x$byte)"; done; }
`

export const PREPARE = `${PREPARE_BLOCKS}
generic() { echo /dev/$(ls /sys/block/$(basename $1)/device/scsi_generic); }
g=$(generic $r)
h=$(generic $s)
`

export const toolSteps: readonly ToolStep[] = [
  // What the unit says of itself.
  { code: '12', name: 'vpd', line: 'sg_vpd --all $a', says: /Block limits VPD page/ },
  { code: '5A', name: 'modes', line: 'sg_modes --all $a', says: /Caching/ },
  { code: '1A', name: 'modes-6', line: 'sg_modes --six --all $a', says: /Control/ },
  { code: '4D', name: 'logs', line: 'sg_logs $a' },
  { code: 'A3/0C', name: 'opcodes', line: 'sg_opcodes $a', says: /Read\(16\)/ },
  { code: 'A3/0C', name: 'opcodes-one', line: 'sg_opcodes --opcode=0x28 --rctd $a', says: /Usage data: 28/ },
  { code: 'A3/0D', name: 'tmf', line: 'sg_opcodes --tmf $a', says: /Abort task/i },
  { code: 'A3/0A', name: 'rtpg', line: 'sg_rtpg --decode $a', says: /active\/optimized/ },
  { code: 'A3/0A', name: 'rtpg-extended', line: 'sg_rtpg --extended --decode $a', says: /active\/optimized/ },
  { code: 'A4/0A', name: 'stpg', line: 'sg_stpg --tp=1 --state=0 $a' },
  { code: 'A4/0A', name: 'stpg-standby', line: 'sg_stpg --tp=1 --state=2 $a', says: /Illegal request/ },

  // Reading back, comparing.
  { code: '2F', name: 'verify', line: 'sg_verify --lba=0 --count=64 $a' },
  { code: '8F', name: 'verify-16', line: 'sg_verify --16 --lba=0 --count=64 $a' },
  { code: '2F', name: 'verify-put', line: 'put $a 0 /tmp/A' },
  { code: '2F', name: 'verify-same', line: 'sg_verify --ndo=512 --in=/tmp/A --lba=0 $a' },
  { code: '2F', name: 'verify-other', line: 'sg_verify --ndo=512 --in=/tmp/B --lba=0 $a', exit: exit.miscompare },
  { code: '2E', name: 'write-verify', line: 'sg_write_verify --lba=3 --in=/tmp/B --bytchk=1 $a && same $a 3 /tmp/B' },
  { code: '8E', name: 'write-verify-16', line: 'sg_write_verify --16 --lba=4 --in=/tmp/B $a && same $a 4 /tmp/B' },
  {
    code: '34',
    name: 'pre-fetch',
    line: 'sg_seek --pre-fetch --10 --lba=0 --num-blocks=8 $a',
    exit: exit.conditionMet,
  },
  { code: '90', name: 'pre-fetch-16', line: 'sg_seek --pre-fetch --lba=0 --num-blocks=8 $a', exit: exit.conditionMet },
  { code: '37', name: 'defects', line: 'sg_reassign --grown $a', says: /0/ },
  { code: 'B7', name: 'defects-12', line: 'sg_raw --request=8 $a b7 0d 00 00 00 00 00 00 00 08 00 00' },
  { code: 'AF', name: 'verify-12', line: 'sg_raw $a af 00 00 00 00 00 00 00 00 01 00 00' },
  {
    code: 'AE',
    name: 'write-verify-12',
    line: 'sg_raw --send=512 --infile=/tmp/B $a ae 00 00 00 00 07 00 00 00 01 00 00 && same $a 7 /tmp/B',
  },
  { code: '35', name: 'sync', line: 'sg_sync $a' },
  { code: '91', name: 'sync-16', line: 'sg_sync --16 $a' },

  // Writing in one piece.
  {
    code: '89',
    name: 'caw',
    line: 'put $a 0 /tmp/A; sg_compare_and_write --lba=0 --in=/tmp/AB $a && same $a 0 /tmp/B',
  },
  {
    code: '89',
    name: 'caw-other',
    line: 'sg_compare_and_write --quiet --lba=0 --in=/tmp/AB $a',
    exit: exit.miscompare,
  },
  {
    code: '8B',
    name: 'orwrite',
    line: 'put $a 5 /tmp/A; sg_write_x --or --in=/tmp/B --lba=5 --num=1 $a && at $a 5',
    says: /^C+$/,
  },
  { code: '9C', name: 'atomic', line: 'sg_write_x --atomic=0 --in=/tmp/B --lba=6 --num=1 $a && same $a 6 /tmp/B' },

  // Giving back.
  { code: '41', name: 'write-same', line: 'sg_write_same --10 --lba=8 --num=8 --in=/tmp/A $a && same $a 15 /tmp/A' },
  { code: '93', name: 'write-same-16', line: 'sg_write_same --16 --lba=8 --num=8 --in=/tmp/B $a && same $a 15 /tmp/B' },
  {
    code: '93',
    name: 'write-same-ndob',
    line: 'sg_write_same --16 --ndob --lba=8 --num=4 $a && same $a 11 /tmp/0 && same $a 12 /tmp/B',
  },
  { code: '93', name: 'write-same-unmap', line: 'sg_write_same --16 --unmap --lba=8 --num=8 $a && same $a 15 /tmp/0' },
  { code: '42', name: 'unmap', line: 'put $a 8 /tmp/A; sg_unmap --force --lba=8 --num=8 $a && same $a 8 /tmp/0' },
  { code: '9E/12', name: 'lba-status', line: 'put $a 0 /tmp/A; sg_get_lba_status --lba=0 $a', says: /mapped/ },
  { code: '9E/12', name: 'lba-status-unmapped', line: 'sg_get_lba_status --lba=8 $a', says: /deallocated/ },
  { code: '42', name: 'log-provisioning', line: 'sg_logs --page=0xc $a', says: /provisioning/i },
  { code: '42', name: 'discard-known', line: 'test $(cat /sys/block/$(basename $u)/queue/discard_max_bytes) -gt 0' },
  { code: '42', name: 'trim-mount', line: 'mkfs.ext4 -q -F $u && mount $u /mnt' },
  {
    code: '42',
    name: 'trim-fill',
    line: 'dd if=/dev/urandom of=/mnt/fill bs=1M count=40 conv=fsync && rm /mnt/fill && sync',
  },
  { code: '42', name: 'fstrim', line: 'fstrim -v /mnt', says: /bytes\) trimmed/ },
  { code: '42', name: 'trim-umount', line: 'umount /mnt && e2fsck -f -n $u' },
  { code: '42', name: 'blkdiscard', line: 'put $u 0 /tmp/A; blkdiscard --force $u && same $u 0 /tmp/0' },

  // Erasing all.
  {
    code: '48/02',
    name: 'sanitize-block',
    line: 'put $b 7 /tmp/A; sg_sanitize --block --quick --wait $b && same $b 7 /tmp/0',
  },
  {
    code: '48/03',
    name: 'sanitize-crypto',
    line: 'put $b 7 /tmp/A; sg_sanitize --crypto --quick --wait $b; ! same $b 7 /tmp/A',
  },
  {
    code: '48/01',
    name: 'sanitize-overwrite',
    line: 'sg_sanitize --overwrite --zero --quick --wait $b && same $b 7 /tmp/0',
  },
  { code: '48/1F', name: 'sanitize-exit', line: 'sg_sanitize --fail --quick --wait $b' },

  // State.
  { code: '55', name: 'swp', line: 'sdparm --quiet --set=SWP $h && { sdparm --get=SWP $h; true; }', says: /SWP\s+1 / },
  {
    code: '55',
    name: 'swp-write',
    line: `sg_raw --send=512 --infile=/tmp/A $h ${WRITE_FIRST}`,
    exit: exit.dataProtect,
  },
  {
    code: '55',
    name: 'swp-clear',
    line: `sdparm --quiet --clear=SWP $h && sg_raw --send=512 --infile=/tmp/A $h ${WRITE_FIRST}`,
  },
  {
    code: '15',
    name: 'd-sense',
    line: 'sdparm --six --quiet --set=D_SENSE $h && { sdparm --get=D_SENSE $h; true; }',
    says: /D_SENSE\s+1 /,
  },
  {
    code: '15',
    name: 'd-sense-clear',
    line: 'sdparm --six --quiet --clear=D_SENSE $h && { sdparm --get=D_SENSE $h; true; }',
    says: /D_SENSE\s+0 /,
  },
  { code: '56', name: 'reserve-10', line: 'sg_raw $a 56 00 00 00 00 00 00 00 00 00' },
  { code: '57', name: 'release-10', line: 'sg_raw $a 57 00 00 00 00 00 00 00 00 00' },
  { code: '16', name: 'reserve', line: 'sg_raw $a 16 00 00 00 00 00 && same $a 0 /tmp/A' },
  { code: '17', name: 'release', line: 'sg_raw $a 17 00 00 00 00 00' },
  { code: '1E', name: 'prevent', line: 'sg_prevent --prevent=1 $g; sg_start --eject $g', exit: exit.illegalRequest },
  { code: '1E', name: 'allow', line: 'sg_prevent --allow $g && sg_start --eject $g' },
  { code: '1E', name: 'ejected', line: 'sg_turs $g', exit: exit.notReady },
  { code: '1E', name: 'load', line: 'sg_start --load $g; sg_turs --number=2 $g; sg_turs $g' },

  // Fencing, as fence_scsi does it.
  { code: '5F/06', name: 'pr-register', line: 'sg_persist -n -o -I -S 0xa1 -d $a' },
  { code: '5E/00', name: 'pr-keys', line: 'sg_persist -n -i -k -d $a', says: /0xa1/ },
  { code: '5F/01', name: 'pr-reserve', line: 'sg_persist -n -o -R -T 5 -K 0xa1 -d $a' },
  { code: '5E/01', name: 'pr-reservation', line: 'sg_persist -n -i -r -d $a', says: /registrants only/i },
  { code: '5E/02', name: 'pr-capabilities', line: 'sg_persist -n -i -c -d $a', says: /PTPL_C\): 1/ },
  { code: '5E/03', name: 'pr-full-status', line: 'sg_persist -n -i -s -d $a', says: /iqn\./ },
  { code: '5F/04', name: 'pr-preempt-own', line: 'sg_persist -n -o -P -T 5 -K 0xa1 -S 0xa1 -d $a' },
  {
    code: '5F/05',
    name: 'pr-preempt-abort-unknown',
    line: 'sg_persist -n -o -A -T 5 -K 0xa1 -S 0xb2 -d $a',
    exit: exit.reservationConflict,
  },
  { code: '5F/00', name: 'pr-rekey', line: 'sg_persist -n -o -G -K 0xa1 -S 0xa2 -d $a' },
  { code: '5F/02', name: 'pr-release', line: 'sg_persist -n -o -L -T 5 -K 0xa2 -d $a' },
  { code: '5F/03', name: 'pr-clear', line: 'sg_persist -n -o -C -K 0xa2 -d $a' },
  { code: '5E/00', name: 'pr-no-keys', line: 'sg_persist -n -i -k -d $a', says: /no registered/i },

  // Copying within the target.
  { code: '84/03', name: 'copy-limits', line: 'sg_copy_results --params $a', says: /Maximum.*segment length/i },
  {
    code: '83/00',
    name: 'copy',
    line: 'dd if=/dev/urandom of=$a bs=64k count=16 oflag=direct status=none; sg_xcopy if=$a of=$b count=2048 && cmp -n 1048576 $a $b',
  },
  { code: '84/00', name: 'copy-status', line: 'sg_copy_results --status --list_id=1 $a || true' },

  { code: '84/04', name: 'copy-failure', line: 'sg_copy_results --failed --list_id=1 $a || true' },

  // Copying by a token: the list names one block, the answer ends with the token.
  {
    code: '83/10',
    name: 'populate-token',
    line: `put $a 9 /tmp/A; { bytes 00 1e 00 00 00 00 00 00 00 00 00 00 00 00 00 10; bytes 00 00 00 00 00 00 00 09 00 00 00 01 00 00 00 00; } > /tmp/list
  sg_raw --send=32 --infile=/tmp/list $a 83 10 00 00 00 00 00 00 00 07 00 00 00 20 00 00`,
  },
  {
    code: '84/07',
    name: 'token',
    line: `sg_raw --request=1024 --outfile=/tmp/answer $a 84 07 00 00 00 07 00 00 00 00 00 00 04 00 00 00
  tail -c 512 /tmp/answer > /tmp/token; test $(wc -c < /tmp/token) = 512`,
  },
  {
    code: '83/11',
    name: 'write-using-token',
    line: `put $a 9 /tmp/B; { bytes 02 26 00 00 00 00 00 00 00 00 00 00 00 00 00 00; cat /tmp/token; bytes 00 00 00 00 00 00 00 10; bytes 00 00 00 00 00 00 00 03 00 00 00 01 00 00 00 00; } > /tmp/list
  sg_raw --send=552 --infile=/tmp/list $b 83 11 00 00 00 00 00 00 00 08 00 00 02 28 00 00 && same $b 3 /tmp/A`,
  },

  // Other kinds of disks.
  { code: '9E/10', name: 'big-blocks', line: 'blockdev --getss $k', says: /^4096$/ },
  {
    code: '8A',
    name: 'big-blocks-mkfs',
    line: 'mkfs.ext4 -q -F $k && mount $k /mnt && dd if=/dev/urandom of=/mnt/f bs=1M count=4 conv=fsync',
  },
  { code: '88', name: 'big-blocks-fsck', line: 'umount /mnt && e2fsck -f -n $k' },
  { code: '5A', name: 'read-only', line: 'blockdev --getro $o', says: /^1$/ },
  {
    code: '2A',
    name: 'read-only-write',
    line: `sg_raw --readonly --send=512 --infile=/tmp/A $o ${WRITE_FIRST}`,
    exit: exit.dataProtect,
  },
]
