// Two Linux machines with two sessions each to a leased disk, which device mapper makes one device of: they fence each other by fence_mpath, whose
// mpathpersist registers a key on every path, and by fence_scsi on the same device. Each session has an ISID of its own, so that each path is another nexus.

import { freePort } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { type LiveGuest, withGuests } from '../harness/live-guest.js'
import { withServer } from '../harness/server.js'
import { ADMIN, leaseDisk } from '../harness/shared-disk.js'
import { LinuxNode, type NodeOptions } from './linux-node.js'

const DEVICE = '/dev/mapper/mpatha'
const DISK_BYTES = 8 << 20
const PATHS = 2
const ONE = 'a1'
const TWO = 'b2'
const LOAD_MODULES = 'modprobe -a dm-multipath dm-round-robin dm-service-time'

t.test('fence_mpath on two Linux nodes with two paths each', async t => {
  const port = await freePort()
  await withServer(t, { port, config: { workers: 3, admin: ADMIN } }, async server => {
    const disk = await leaseDisk(server, DISK_BYTES)
    await withGuests(['one', 'two'], async (one, two) => {
      try {
        await Promise.all([join(one, { port, disk }, ONE), join(two, { port, disk }, TWO)])
        await unfence(one, ONE)
        t.same(await keys(one), [ONE, ONE], 'a registration for each path')
        await unfence(two, TWO)
        t.same(await keys(one), [ONE, ONE, TWO, TWO])
        await reserved(t, two)
        await bothWrite(t, one, two)
        await releaseAndReserve(t, one, two)
        await pathComesBack(t, two)
        await fence(t, one, two)
        await fenceByTheOther(t, one, two)
      } finally {
        if (!t.passing()) for (const guest of [one, two]) t.comment(`${guest.name}:\n${guest.console}`)
      }
    })
  })
})

/** Logs in twice, and has multipathd make one device of both. The key is for paths that come later. */
async function join(guest: LiveGuest, options: NodeOptions, key: string): Promise<void> {
  const node = await LinuxNode.setUp(guest, { ...options, sessions: PATHS, replacementTimeout: 15, pingTimeout: 120 })
  const settings = `
defaults {
  user_friendly_names yes
  find_multipaths no
  polling_interval 2
  reservation_key 0x${key}
}
blacklist {
  devnode "^vd"
}`
  await guest.must(`mkdir -p /etc/multipath; echo '${settings}' > /etc/multipath.conf; ${LOAD_MODULES}; multipathd`)
  await node.login()
  await untilPaths(guest)
}

/** Waits until all paths of the device are there and active. */
async function untilPaths(guest: LiveGuest): Promise<void> {
  const active = `test "$(multipath -ll mpatha | grep -c 'active ready')" = ${PATHS}`
  await guest.must(
    `for i in $(seq 300); do ${active} && break; sleep 1; done; multipath -ll; ${active}; test -b ${DEVICE}`,
  )
}

async function unfence(guest: LiveGuest, key: string): Promise<void> {
  await guest.must(`fence_mpath --action=on --plug=${key} --devices=${DEVICE}`)
}

async function keys(guest: LiveGuest): Promise<string[]> {
  const output = await guest.must(`mpathpersist -i -k -d ${DEVICE}`)
  return [...output.matchAll(/^\s+0x([0-9a-f]+)\s*$/gm)].map(([, key]) => key!).toSorted()
}

async function reserved(t: Test, guest: LiveGuest): Promise<void> {
  const output = await guest.must(`mpathpersist -i -r -d ${DEVICE}`)
  t.match(output, new RegExp(`key = 0x${ONE}`, 'i'), 'the first one holds the reservation')
  t.match(output, /Write Exclusive, registrants only/i)
}

const write = (guest: LiveGuest) =>
  guest.run(`dd if=/dev/urandom of=${DEVICE} bs=4k count=8 oflag=direct conv=notrunc`).then(({ code }) => code)

async function bothWrite(t: Test, one: LiveGuest, two: LiveGuest): Promise<void> {
  for (const guest of [one, two]) t.equal(await write(guest), 0, `${guest.name} may write`)
}

/** RELEASE goes to every path, of which one holds the reservation: the others are to say GOOD [SPC-4 §5.13.11.2.2]. */
async function releaseAndReserve(t: Test, one: LiveGuest, two: LiveGuest): Promise<void> {
  await one.must(`mpathpersist -o --release --prout-type=5 --param-rk=${ONE} -d ${DEVICE}`)
  t.match(await two.must(`mpathpersist -i -r -d ${DEVICE}`), /there is NO reservation held/i, 'released')
  await one.must(`mpathpersist -o --reserve --prout-type=5 --param-rk=${ONE} -d ${DEVICE}`)
  await reserved(t, two)
}

/** One of the sessions ends, and another one takes its place: multipathd registers it by itself. */
async function pathComesBack(t: Test, two: LiveGuest): Promise<void> {
  await two.must(
    "s=$(iscsiadm -m session | sed -n '1s/.*\\[\\([0-9]*\\)\\].*/\\1/p'); iscsiadm -m session -r $s --logout",
  )
  await two.must('udevadm settle; iscsiadm -m node --login; udevadm settle')
  await untilPaths(two)
  const three = [ONE, ONE, TWO, TWO, TWO].join()
  for (let look = 0; look < 300 && (await keys(two)).join() !== three; look++) await two.must('sleep 1')
  t.equal((await keys(two)).join(), three, 'the path of now, beside the registration of the path of before')
  t.equal(await write(two), 0)
}

async function fence(t: Test, one: LiveGuest, two: LiveGuest): Promise<void> {
  await one.must(`fence_mpath --action=off --plug=${TWO} --devices=${DEVICE}`)
  t.same(await keys(one), [ONE, ONE], 'all registrations of the victim are gone')
  await reserved(t, one)
  for (let attempt = 0; attempt < 2 * PATHS; attempt++)
    t.equal(await write(two), 1, 'the victim stays out, on each path')
  t.equal((await two.run(`dd if=${DEVICE} of=/dev/null bs=4k count=8 iflag=direct`)).code, 0, 'it may read')
  t.equal(await write(one), 0)
  await unfence(two, TWO)
  await bothWrite(t, one, two)
}

/** The other agent on the same device: it registers each path, and can ask for reservations that outlive the server. */
async function fenceByTheOther(t: Test, one: LiveGuest, two: LiveGuest): Promise<void> {
  await one.must(`mpathpersist -o --clear --param-rk=${ONE} -d ${DEVICE}`)
  t.same(await keys(two), [], 'nobody is registered any more')
  const agent = (action: string, key: string) =>
    `fence_scsi --action=${action} --devices=${DEVICE} --key=${key} --aptpl`
  await one.must(agent('on', ONE))
  await two.must(agent('on', TWO))
  t.same(await keys(one), [ONE, ONE, TWO, TWO])
  await bothWrite(t, one, two)
  await one.must(agent('off', TWO))
  t.same(await keys(one), [ONE, ONE])
  t.match(await one.must(`sg_persist -n -i -c -d ${DEVICE}`), /PTPL_A\): 1/, 'what is reserved outlives the server')
  t.equal(await write(two), 1, 'the victim stays out')
  t.equal(await write(one), 0)
}
