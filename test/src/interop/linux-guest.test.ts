// A stock Linux initiator (open-iscsi) in an emulated machine behind NAT, one boot for everything: it finds the targets,
// makes a file system and verifies its data with and without digests, sees several LUNs, and reads an image of the catalog.

import { createHash, randomBytes } from 'node:crypto'
import { freePort } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { type GuestRun, HOST_IN_GUEST, runGuest } from '../harness/guest.js'
import { iqn, withServer } from '../harness/server.js'
import { until } from '../protocol/lab.js'

const VPD_PAGES = ['0x00', '0x80', '0x83', '0x86', '0x8f', '0xb0', '0xb1', '0xb2']
const IMAGE = randomBytes(3 << 20)

const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex')

/** The guest's script. `portal` is what the initiator is told on the command line. */
function script(portal: string): string {
  const node = (name: string) => `iscsiadm -m node -T ${iqn(name)} -p ${portal}`
  const verify = 'fio --name=verify --filename=/mnt/data --size=16m --rw=randwrite --bsrange=512-64k --bs_unaligned=0'
  // udev looks at a disk that was written to once more: it has to be done before the disk goes.
  const leave = (step: string, name: string) => `udevadm settle\nstep ${step} ${node(name)} --logout`
  return `
step discovery iscsiadm -m discovery -t sendtargets -p ${portal}

step login ${node('blank')} --login
d=$(disk :blank 0)
step mkfs mkfs.ext4 -q -F $d
step mount mount $d /mnt
step fio ${verify} --direct=1 --ioengine=libaio --iodepth=16 --verify=crc32c --do_verify=1 --verify_fatal=1 --output-format=terse
step umount umount /mnt
step fsck e2fsck -f -n $d
step inquiry sg_inq $d
for page in ${VPD_PAGES.join(' ')}; do step vpd-$page sg_vpd --page=$page $d; done
step readcap10 sg_readcap $d
step readcap16 sg_readcap --16 $d
step luns sg_luns $d
step ready sg_turs --number=100 $d
step sense sg_requests $d
step caching cat /sys/block/$(basename $d)/device/scsi_disk/*/cache_type
step session iscsiadm -m session -P 2
${leave('logout', 'blank')}

step header-digest ${node('blank')} -o update -n node.conn[0].iscsi.HeaderDigest -v CRC32C
step data-digest ${node('blank')} -o update -n node.conn[0].iscsi.DataDigest -v CRC32C
step digest-login ${node('blank')} --login
d=$(disk :blank 0)
step fresh cmp -n 67108864 $d /dev/zero
step digest-fio fio --name=verify --filename=$d --size=32m --rw=randrw --bsrange=4k-256k --direct=1 --ioengine=libaio --iodepth=16 \\
  --verify=crc32c --do_verify=1 --verify_fatal=1 --output-format=terse
step digest-session iscsiadm -m session -P 2
${leave('digest-logout', 'blank')}

step multi-login ${node('multi')} --login
d=$(disk :multi 0); disk :multi 1 > /dev/null
step multi-luns sg_luns $d
step multi-disks sh -c 'ls /dev/disk/by-path/ | grep -c ":multi-lun-[0-9]*$"'
step multi-ids sh -c 'for d in $(ls /dev/disk/by-path/*:multi-lun-* | grep -v part); do cat /sys/block/$(basename $(readlink -f $d))/device/wwid; done'
e=$(disk :multi 1)
step copy-limits sg_copy_results --params $d
step copy-source dd if=/dev/urandom of=$d bs=64k count=64 oflag=direct
step copy sg_xcopy if=$d of=$e bs=512 count=8000 skip=5 seek=77
step copy-forget blockdev --flushbufs $e
step copy-compare cmp -n 4096000 -i 2560:39424 $d $e
${leave('multi-logout', 'multi')}

step image-login ${node('picture')} --login
d=$(disk :picture 0)
step image-sum sh -c "sha256sum < $d"
step image-write dd if=/dev/urandom of=$d bs=64k count=4 oflag=direct conv=notrunc
${leave('image-logout', 'picture')}
step image-again ${node('picture')} --login
d=$(disk :picture 0)
step image-sum-again sh -c "sha256sum < $d"
${leave('image-logout-again', 'picture')}

step refused iscsiadm -m node -T ${iqn('nothing-of-this-name')} -p ${portal} -o new
step refused-login iscsiadm -m node -T ${iqn('nothing-of-this-name')} -p ${portal} --login
step kernel sh -c 'dmesg | grep -i -E "iscsi|sd [0-9]|I/O error" | grep -v -E "Attached|Loading|registered|Direct-Access"'
exit 0
`
}

t.test('Linux initiator behind NAT', async t => {
  const port = await freePort()
  const portal = `${HOST_IN_GUEST}:${port}`
  await withServer(t, { port, config: { advertise: { iscsi: portal } }, images: { picture: IMAGE } }, async server => {
    const run = await runGuest(script(portal))
    t.equal(run.exit, 0, 'the guest came to its end')
    discovery(t, run, portal)
    fileSystem(t, run)
    facts(t, run)
    digests(t, run)
    units(t, run)
    image(t, run)
    t.equal(run.steps.get('refused-login')?.code, 19, 'a target that does not exist is a refusal not to be tried again')
    t.notMatch(
      run.console + (run.steps.get('kernel')?.output ?? ''),
      /I\/O error|conn error|detected conn/,
      'the kernel had no trouble',
    )
    if (!t.passing()) t.comment(`guest:\n${run.output}\n${run.console}`)
    const opened = () => server.log.filter(line => line.event === 'session.opened').length
    await until('the server has logged the sessions', () => opened() >= 5)
  })
})

/** Every one of these steps has to end with code 0. */
function succeeded(t: Test, run: GuestRun, names: readonly string[]): void {
  for (const name of names) {
    const step = run.steps.get(name)
    t.equal(step?.code, 0, `${name} succeeds`, { output: step?.output })
  }
}

const output = (run: GuestRun, name: string): string => run.steps.get(name)?.output ?? ''

function discovery(t: Test, run: GuestRun, portal: string): void {
  const targets = output(run, 'discovery').split('\n').toSorted()
  t.same(
    targets,
    ['blank', 'multi', 'picture'].map(name => `${portal},1 ${iqn(name)}`),
    'the advertised address is what the guest is told',
  )
}

function fileSystem(t: Test, run: GuestRun): void {
  succeeded(t, run, ['login', 'mkfs', 'mount', 'fio', 'umount', 'fsck', 'logout'])
}

function facts(t: Test, run: GuestRun): void {
  succeeded(t, run, [
    'inquiry',
    ...VPD_PAGES.map(page => `vpd-${page}`),
    'readcap10',
    'readcap16',
    'luns',
    'ready',
    'sense',
  ])
  t.match(output(run, 'inquiry'), /Vendor identification: SCSIPUB/)
  t.match(output(run, 'inquiry'), /PQual=0 .*PDT=0 /)
  t.match(output(run, 'inquiry'), /\[SPC-4\]/)
  t.match(output(run, 'vpd-0x80'), /Unit serial number: \S+/)
  t.match(output(run, 'vpd-0x83'), /0x6[0-9a-f]{31}/, 'an NAA 6 designator')
  t.match(output(run, 'readcap10'), /Number of logical blocks=131072/, '64 MiB')
  t.match(output(run, 'readcap16'), /Number of logical blocks=131072/)
  t.match(output(run, 'luns'), /0000000000000000/)
  t.match(output(run, 'caching'), /^write back/m, 'the kernel knows about the write cache, and flushes it')
}

function digests(t: Test, run: GuestRun): void {
  succeeded(t, run, ['header-digest', 'data-digest', 'digest-login', 'fresh', 'digest-fio', 'digest-logout'])
  t.match(output(run, 'session'), /HeaderDigest: None[\s\S]*DataDigest: None/)
  t.match(output(run, 'digest-session'), /HeaderDigest: CRC32C[\s\S]*DataDigest: CRC32C/)
}

function units(t: Test, run: GuestRun): void {
  succeeded(t, run, ['multi-login', 'multi-luns', 'multi-disks', 'multi-logout'])
  const count = Number(output(run, 'multi-disks'))
  t.ok(count > 1, 'several disks')
  t.match(output(run, 'multi-luns'), `Lun list length = ${count * 8} `, 'as many as REPORT LUNS says')
  const ids = output(run, 'multi-ids').split('\n')
  t.equal(new Set(ids).size, count, 'each with an identity of its own')
  succeeded(t, run, ['copy-limits', 'copy-source', 'copy', 'copy-forget', 'copy-compare'])
  t.match(output(run, 'copy-limits'), /Maximum target descriptor count: \d+/)
  t.match(output(run, 'copy'), /8000 blocks/, 'EXTENDED COPY between two disks')
}

function image(t: Test, run: GuestRun): void {
  succeeded(t, run, ['image-login', 'image-write', 'image-logout', 'image-again', 'image-logout-again'])
  t.match(output(run, 'image-sum'), sha256(IMAGE), 'the disk holds the image')
  t.match(output(run, 'image-sum-again'), sha256(IMAGE), 'and again after somebody wrote to theirs')
}
