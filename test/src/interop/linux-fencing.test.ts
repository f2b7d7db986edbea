// Two Linux machines fence each other on a leased disk by fence_scsi, the agent that Pacemaker calls, with a restart of the server and a change of ISID in
// between. Then every command that changes anything: refused to the node that was fenced, done for the one that is registered.
//
// Left out: Pacemaker, which decides when to fence, and is in ../cluster; and paths through device mapper, which are in linux-multipath.test.ts.

import { freePort } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { type LiveGuest, withGuests } from '../harness/live-guest.js'
import { withServer } from '../harness/server.js'
import { ADMIN, leaseDisk } from '../harness/shared-disk.js'
import { fencedCommands } from './fenced-commands.js'
import { LinuxNode, type NodeOptions } from './linux-node.js'
import { PREPARE_BLOCKS } from './linux-tools.js'

const DISK_BYTES = 8 << 20
const WERO = /Write Exclusive, registrants only/i
/** As sg_raw prints it. Its exit code for that is not always the same. */
const CONFLICT = /SCSI Status: Reservation Conflict/
const ONE = 'a1'
const TWO = 'b2'

t.test('fence_scsi on two Linux nodes', async t => {
  const port = await freePort()
  const options = { port, config: { workers: 3, admin: ADMIN }, dataDir: t.testdir() }
  await withGuests(['one', 'two'], async (first, second) => {
    try {
      let nodes: [LinuxNode, LinuxNode] | undefined
      await t.test('both nodes unfence themselves', async t => {
        await withServer(t, options, async server => {
          const disk = await leaseDisk(server, DISK_BYTES)
          const [one, two] = [await node(first, { port, disk }), await node(second, { port, disk })]
          nodes = [one, two]
          await unfence(one, ONE)
          await unfence(two, TWO)
          t.same(await one.keys(), [ONE, TWO])
          const { key, type } = await two.reservation()
          t.equal(key, ONE, 'the first one holds the reservation')
          t.match(type, WERO)
          await bothWrite(t, one, two)
        })
      })
      await t.test('the server comes back; a node comes back under another ISID; one fences the other', async t => {
        await withServer(t, options, async () => {
          if (!nodes) throw new Error('no node has logged in')
          const [one, two] = nodes
          for (const node of [one, two]) await node.ready()
          t.same(await one.keys(), [ONE, TWO], 'registrations outlive the server')
          await bothWrite(t, one, two)
          await changeOfIsid(t, one, two)
          await fencing(t, one, two)
          await holderReturns(t, one, two)
        })
      })
    } finally {
      if (!t.passing()) for (const guest of [first, second]) t.comment(`${guest.name}:\n${guest.console}`)
    }
  })
})

/** A guest that has logged in. */
async function node(guest: LiveGuest, options: NodeOptions): Promise<LinuxNode> {
  await guest.must(PREPARE_BLOCKS)
  const node = await LinuxNode.setUp(guest, options)
  await node.login()
  return node
}

async function unfence({ guest }: LinuxNode, key: string): Promise<void> {
  await guest.must(`fence_scsi --action=on --devices=$d --key=${key} --aptpl`)
}

async function bothWrite(t: Test, one: LinuxNode, two: LinuxNode): Promise<void> {
  for (const node of [one, two]) t.equal(await node.write(100), 0, `${node.guest.name} may write`)
}

/** The session ends and another one begins, as by a reboot: open-iscsi makes another ISID. */
async function comeBack(node: LinuxNode): Promise<void> {
  await node.logout()
  await node.login()
}

async function changeOfIsid(t: Test, one: LinuxNode, two: LinuxNode): Promise<void> {
  const [before = ''] = await two.registeredIsids()
  await comeBack(two)
  t.equal(await two.write(100), 1, 'under another ISID a node is another nexus')
  await unfence(two, TWO)
  const isids = await two.registeredIsids()
  t.equal(isids.length, 2, 'its old registration is still there')
  t.ok(isids.includes(before) && new Set(isids).size === 2, `${isids.join(' and ')}`)
  t.same(await one.keys(), [ONE, TWO, TWO])
  t.equal(await two.write(100), 0, 'once it is registered again, it may write')

  // What newer agents do with a registration of their own that is stale: preempt the key, register again.
  await two.guest.must(`sg_turs $d; sg_persist -n -o -P -T 5 -K ${TWO} -S ${TWO} -d $d`)
  t.same(await one.keys(), [ONE], 'nothing is held by that key, so that the sender goes too [SPC-4 §5.13.11.2.4.3]')
  await two.guest.must(`sg_persist -n -o -I -S ${TWO} -d $d -Z`)
  t.equal(await two.write(100), 0, 'registered again')
  await comeBack(two)
  await unfence(two, TWO)
  t.same(await one.keys(), [ONE, TWO, TWO], 'once more with a stale registration')
}

/** While the victim writes as fast as it can. */
async function fencing(t: Test, one: LinuxNode, two: LinuxNode): Promise<void> {
  await two.guest.must(
    'fio --name=load --filename=$d --offset=4m --size=2m --rw=randwrite --bs=64k --direct=1 --ioengine=libaio --iodepth=8 --time_based --runtime=86400 > /tmp/load 2>&1 & load=$!',
  )
  await two.guest.must('sleep 2; kill -0 $load')
  await one.guest.must(`fence_scsi --action=off --devices=$d --key=${TWO}`)
  const sum = 'sg_turs $d; blockdev --flushbufs $d; sha256sum < $d'
  const then = await one.guest.must(sum)
  t.same(await one.keys(), [ONE], 'both registrations with the key are gone')
  t.match((await one.reservation()).type, WERO, 'and there is a reservation')
  t.not((await two.guest.run('wait $load')).code, 0, 'the writes of the victim fail')
  const { ways, missing } = fencedCommands()
  t.same(missing, [], 'every command of the table is tried')
  for (const { code, name, line } of ways) {
    const { code: exit, output } = await two.guest.run(line)
    t.not(exit, 0, `${code} ${name} of the victim`)
    t.match(output, CONFLICT, 'is refused')
  }
  t.equal(await one.guest.must(sum), then, 'nothing of the victim has landed since it was fenced')
  for (const { code, name, before = '', line } of ways) {
    const { code: exit, output } = await one.guest.run(`${before}\n${line}`)
    t.equal(exit, 0, `${code} ${name} of a registered node`, { output })
  }
  t.equal(await two.write(100), 1, 'the victim stays out')
  await unfence(two, TWO)
  await bothWrite(t, one, two)
}

/** The holder comes back under another ISID, and takes over what it held under the old one. */
async function holderReturns(t: Test, one: LinuxNode, two: LinuxNode): Promise<void> {
  await comeBack(one)
  t.equal(await one.write(100), 1, 'the holder is a stranger under another ISID')
  const { key } = await one.reservation()
  t.equal(key, ONE, 'the reservation is still held by the nexus of before')
  await one.guest.must(`sg_persist -n -o -I -S ${ONE} -d $d -Z; sg_persist -n -o -P -T 5 -K ${ONE} -S ${ONE} -d $d`)
  t.same(await two.keys(), [ONE, TWO], 'its registration of before is preempted')
  t.equal((await one.registeredIsids()).length, 1, 'and the one of now is left')
  t.equal((await two.reservation()).key, ONE, 'which holds the reservation')
  await bothWrite(t, one, two)
}
