// A stock Linux machine while the LUNs of its leased disk change under it: it says that they have, finds the new one when it looks again, loses the one that goes and
// nothing else, and sees a disk grow while its file system is mounted. That one is written and read back all the time, and must not notice. Then a snapshot of it in the
// midst of writing: a clone has every file that was synced before.
//
// Everything is typed as a user types it: `scsipub` for the lease, and the commands that it prints to log in.
//
// Left out: what the unit attentions look like on the wire, which is in protocol/lun-changes.test.ts and protocol/lun-growth.test.ts.

import { freePort } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { HOST_IN_GUEST } from '../harness/guest.js'
import { PATIENT_INITIATOR } from '../harness/guest-patience.js'
import { type LiveGuest, withGuests } from '../harness/live-guest.js'
import { scsipubJson, scsipubText } from '../harness/scsipub-command.js'
import { type Server, withServer } from '../harness/server.js'
import { ADMIN } from '../harness/shared-disk.js'
import { VerifiedLoad } from './verified-load.js'

const MIB = 1 << 20
/** What the kernel says of 3F/0E and of 2A/09. */
const LUNS_CHANGED = 'LUN assignments on this target have changed'
const CAPACITY_CHANGED = 'Capacity data has changed'

/**
 * heard MARK WORDS: waits until the kernel has said so since `mark MARK`. written DEVICE, synced COUNT: until
 * something has been written to it, so many files are synced. All up to 300 s.
 */
const HELPERS = `
until_done() { local end=$((SECONDS + 300)); until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.2; done; }
mark() { echo "mark $1" > /dev/kmsg; }
said() { dmesg | sed "0,/mark $1$/d" | grep -q "$2"; }
heard() { until_done said "$@" || { dmesg | tail -40; return 1; }; }
has_writes() { local writes; read -r _ _ _ _ writes _ < /sys/block/$(basename $1)/stat; [ $writes -gt 0 ]; }
written() { until_done has_writes $1; }
has_synced() { [ $(wc -l < /tmp/synced) -ge $1 ]; }
synced() { until_done has_synced $1; }
`
const FAULTS = /I\/O error|EXT4-fs (error|warning)|JBD2: .*error|conn error|offline/i

interface Lab {
  readonly guest: LiveGuest
  /** Runs `scsipub session ARGS…` as the owner of the lease. */
  readonly session: (...args: string[]) => Promise<string>
  readonly load: VerifiedLoad
}

interface Lease {
  readonly id: string
  readonly iqn: string
}

t.test('Linux, while LUNs come, go and grow', async t => {
  const port = await freePort()
  const config = { workers: 2, admin: ADMIN, advertise: { iscsi: `${HOST_IN_GUEST}:${port}` } }
  await withGuests(['luns'], guest =>
    withServer(t, { port, config }, async server => {
      const lab: Lab = { guest, session: await ownerOf(server), load: new VerifiedLoad(guest) }
      try {
        await guest.must(HELPERS + PATIENT_INITIATOR)
        const lease = await logIn(t, lab, 'create', 'blank:12M', 'blank:16M')
        await guest.must(`a=$(disk ${lease.iqn} 0); b=$(disk ${lease.iqn} 1); test -b $a -a -b $b`)
        await lab.load.begin('$a')
        await added(t, lab, lease)
        await removed(t, lab, lease)
        await grown(t, lab, lease)
        await snapshot(t, lab, lease)
        await lab.load.endUnharmed(t)
        await guest.must('iscsiadm -m session --logout')
        t.same(await newFaults(guest), [], 'the kernel saw no fault')
      } finally {
        if (!t.passing()) t.comment(guest.console)
      }
    }),
  )
})

async function ownerOf(server: Server): Promise<Lab['session']> {
  const { api_key: key } = await scsipubJson<{ api_key: string }>(server, 'account', 'create', 'Ada')
  return (...args) => scsipubText(server, '--key', key, 'session', ...args)
}

/** Types what `scsipub session ARGS…` prints to log in. */
async function logIn(t: Test, { guest, session }: Lab, ...args: string[]): Promise<Lease> {
  const printed = await session(...args)
  const lines = [...printed.matchAll(/^ {2}(iscsiadm .*)$/gm)].map(([, line]) => line!)
  t.equal(lines.length, 5, 'what to type is told', { printed })
  for (const line of lines) {
    const { code, output } = await guest.run(line)
    t.equal(code, 0, line, { output })
  }
  const [, id = '', iqn = ''] = /^session: +(\S+)\ntarget: +(\S+)$/m.exec(printed) ?? []
  return { id, iqn }
}

async function heard(t: Test, guest: LiveGuest, o: { mark: string; words: string; what: string }): Promise<void> {
  const { code, output } = await guest.run(`heard ${o.mark} '${o.words}'`)
  t.equal(code, 0, o.what, { output })
}

/** What the kernel has complained of since the last call. */
async function newFaults(guest: LiveGuest): Promise<string[]> {
  return (await guest.must('dmesg --read-clear')).split('\n').filter(line => FAULTS.test(line))
}

async function added(t: Test, { guest, session }: Lab, { id, iqn }: Lease): Promise<void> {
  await guest.must('mark add')
  t.match(await session('add-lun', id, 'blank:10M'), /^LUN 2: +blank, 10 MiB$/m)
  await heard(t, guest, { mark: 'add', words: LUNS_CHANGED, what: 'the kernel is told: 3F/0E' })
  await guest.must('iscsiadm -m session --rescan')
  await guest.must(`c=$(disk ${iqn} 2); test -b $c`)
  t.equal(await guest.must('blockdev --getsize64 $c'), String(10 * MIB))
  await guest.must('mkfs.ext4 -q -F $c && e2fsck -f -n $c')
}

async function removed(t: Test, { guest, session, load }: Lab, { id, iqn }: Lease): Promise<void> {
  await guest.must(
    'fio --name=victim --filename=$b --size=8m --rw=randwrite --bs=16k --direct=1 --ioengine=libaio --iodepth=8 --time_based --runtime=86400 > /tmp/victim 2>&1 & victim=$!',
  )
  await guest.must('written $b')
  await guest.must('mark remove; gone=$(basename $b)')
  t.notMatch(await session('rm-lun', id, '1'), /^LUN 1:/m)
  t.not((await guest.run('wait $victim')).code, 0, 'what writes to it fails')
  t.match(await guest.must('cat /tmp/victim'), /Input\/output error|Remote I\/O error/)
  t.not((await guest.run('dd if=$b of=/dev/null bs=4k count=1 iflag=direct')).code, 0, 'it cannot be read')
  await heard(t, guest, { mark: 'remove', words: LUNS_CHANGED, what: 'the kernel is told: 3F/0E' })
  await load.progresses(t, 'a LUN has gone')
  await guest.must('iscsiadm -m session --rescan')
  await guest.must('echo 1 > /sys/block/$gone/device/delete; iscsiadm -m session --rescan; udevadm settle')
  t.equal(
    await guest.must(`cd /dev/disk/by-path; ls -d *${iqn}-lun-? | sed 's/.*-lun-//'`),
    '0\n2',
    'those that are left',
  )
  await guest.must('e2fsck -f -n $c')
  const gone = await guest.must('echo $gone')
  const others = (await newFaults(guest)).filter(line => !line.includes(gone))
  t.same(others, [], 'the kernel saw no fault of another one')
}

async function grown(t: Test, { guest, session }: Lab, { id }: Lease): Promise<void> {
  await guest.must('mark grow')
  t.match(await session('resize', id, '0', '36M'), /^LUN 0: +blank, 36 MiB$/m)
  await heard(t, guest, { mark: 'grow', words: CAPACITY_CHANGED, what: 'the kernel is told: 2A/09' })
  await guest.must('iscsiadm -m session --rescan')
  t.equal(await guest.must('blockdev --getsize64 $a'), String(36 * MIB))
  await guest.must('resize2fs $a')
  await guest.must(
    'content() { yes scsipub | head -c 13M; }; content > /mnt/more; sync -f /mnt; echo 1 > /proc/sys/vm/drop_caches',
  )
  t.equal((await guest.run('content | cmp - /mnt/more')).code, 0, 'a file larger than the disk was')
}

async function snapshot(t: Test, lab: Lab, { id }: Lease): Promise<void> {
  const { guest, session, load } = lab
  await guest.must('mkdir /mnt/files; cd /mnt/files; touch /tmp/synced')
  // Its line is written once a file is on the disk, as far as the file system knows.
  await guest.must(`(
    for i in $(seq 600); do
      [ -e /tmp/stop ] && break
      dd if=/dev/urandom of=$i bs=12k count=1 conv=fsync status=none && sha256sum $i >> /tmp/synced || { echo $i > /tmp/files.failed; break; }
    done
  ) & cd /`)
  await guest.must('synced 10')
  const before = (await guest.must('cp /tmp/synced /tmp/before; cat /tmp/before')).split('\n').length
  t.ok(before >= 10, `${before} files are synced`)
  const image = /^image (\S+), 36 MiB$/m.exec(await session('snapshot', id, 'golden'))?.[1]
  await guest.must('dd if=/dev/urandom of=/mnt/late bs=4k count=1 conv=fsync status=none')

  const clone = await logIn(t, lab, 'create', String(image))
  await guest.must(`d=$(disk ${clone.iqn} 0); mark clone; mkdir /clone; mount -o ro $d /clone`)
  await heard(t, guest, { mark: 'clone', words: 'EXT4-fs.*recovery complete', what: 'its journal was in use' })
  const { code, output } = await guest.run(
    'cd /clone/files && sha256sum -c --quiet /tmp/before; ok=$?; cd /; (exit $ok)',
  )
  t.equal(code, 0, 'files that were synced before', { output })
  t.equal(await guest.must('sha256sum < /clone/keep'), load.digest, 'a file from before the growth')
  t.not((await guest.run('test -e /clone/late')).code, 0, 'what was written later is not there')
  await guest.must('umount /clone')
  t.equal((await guest.run('e2fsck -f -n $d')).code, 0, 'the file system is sound')
}
