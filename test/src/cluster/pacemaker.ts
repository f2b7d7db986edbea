// Two Linux nodes with Pacemaker share a leased disk with a file system, which is mounted on one of them. That one hangs in the midst of writes; the other one fences it and
// goes on with the file system. When the first one wakes up, nothing of what it had under way lands, and it cannot fence in its turn. After a reset it joins again.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { freePort } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { withServer } from '../harness/server.js'
import { ADMIN, leaseDisk } from '../harness/shared-disk.js'
import { ClusterNode } from './cluster-node.js'
import { DEVICE, MOUNT, resources } from './configuration.js'

const DISK_BYTES = 256 << 20
/** That the node which hangs has at least done by then. */
const WRITES = 200
const LOG = `${MOUNT}/log`
/** Numbers the lines of a file, each of which is on the disk before it is counted as acknowledged. */
const WRITER = `(n=0; while n=$((n + 1)); printf '%08d\\n' $n | dd of=${LOG} oflag=append conv=notrunc,fsync status=none; do echo $n > /tmp/acknowledged; done 2> /tmp/writer; touch /tmp/writer-failed) &`
/** Says how many lines there are, when they are the first numbers, in order. */
const LINES = `awk '$1 + 0 != NR { exit 1 } END { print NR }' ${LOG}`

await t.test('a two-node Pacemaker cluster with a file system on a leased disk', async t => {
  const port = await freePort()
  const wires = mkdtempSync(join(tmpdir(), 'scsipub-wires-')) // a socket's name has to be short
  t.teardown(() => rmSync(wires, { recursive: true }))
  await withServer(t, { port, config: { workers: 2, admin: ADMIN } }, async server => {
    const disk = await leaseDisk(server, DISK_BYTES)
    const joined: ClusterNode[] = []
    const boot = async (name: 'one' | 'two') => {
      const node = await ClusterNode.boot(name, wires, { port, disk })
      joined.push(node)
      return node
    }
    try {
      const [one, two] = await Promise.all([boot('one'), boot('two')])
      await t.test('the cluster starts, and unfences both nodes', t => begin(t, one, two))
      await t.test('a node hangs; the other one fences it and goes on', t => hang(t, one, two))
      await t.test('it wakes up, cannot write, and cannot fence', t => wake(t, one, two))
      await two.guest.end()
      await t.test('after a reset it is a node as before', async t => comeBack(t, one, await boot('two')))
    } finally {
      if (!t.passing())
        for (const node of joined)
          t.comment(`${node.name}:\n${await node.story().catch(String)}\n${node.guest.console}`)
      await Promise.all(joined.map(({ guest }) => guest.end()))
    }
  })
})

/** The cluster starts both resources, and unfences both nodes by itself. */
async function begin(t: Test, one: ClusterNode, two: ClusterNode): Promise<void> {
  await one.guest.must(`mkfs.ext4 -q ${DEVICE}`)
  await Promise.all([one, two].map(node => node.startCluster()))
  await both(one)
  const device = await one.guest.must(`echo ${DEVICE}`)
  await one.guest.must(`cat > /tmp/resources.xml <<'END'\n${resources(device)}\nEND\n`)
  await one.guest.must('cibadmin --replace --scope configuration --xml-file /tmp/resources.xml')
  await filesOn(two)
  const keys = await one.disk.keys()
  t.equal(new Set(keys).size, 2, `a key for each node: ${keys}`)
  t.match((await one.disk.reservation()).type, /Write Exclusive, registrants only/i)
}

async function hang(t: Test, one: ClusterNode, two: ClusterNode): Promise<void> {
  const before = await one.disk.keys()
  await two.guest.must(WRITER)
  await two.until(`[ "$(cat /tmp/acknowledged 2> /dev/null || echo 0)" -ge ${WRITES} ]`)
  const acknowledged = Number(await two.guest.must('cat /tmp/acknowledged'))
  await setTimeout(1_000) // it goes on writing
  await two.guest.freeze()
  const frozenMs = performance.now()
  await filesOn(one)
  t.comment(`the file system is there again after ${Math.round((performance.now() - frozenMs) / 1000)} s`)
  await one.until('crm_mon -1 -m 2 | grep -q "reboot of two by one .* successful"')
  const keys = await one.disk.keys()
  t.equal(keys.length, 1, `the key of node two is gone: ${before}, then ${keys}`)
  const lines = Number(await one.guest.must(LINES))
  t.ok(lines >= acknowledged, `${lines} lines, of ${acknowledged} that were acknowledged by then`)
  await one.guest.must(`echo of node one > ${MOUNT}/one; sync`)
}

/** Without the other node: it believes that that one is lost, and tries to fence it. */
async function wake(t: Test, one: ClusterNode, two: ClusterNode): Promise<void> {
  const lines = await one.guest.must(LINES)
  await two.guest.setLink(false, 'wire')
  await two.guest.thaw()
  await two.until('test -e /tmp/writer-failed')
  t.not(await two.disk.write(0), 0, 'it cannot write')
  await two.until(`grep "Operation 'reboot' targeting one by two .* Error" /var/log/pacemaker/pacemaker.log`)
  t.equal((await one.disk.keys()).length, 1, 'it could not fence the other one')
  await one.guest.must(`sync; echo 3 > /proc/sys/vm/drop_caches; grep -q 'of node one' ${MOUNT}/one`)
  t.equal(await one.guest.must(LINES), lines, 'and nothing of it has landed')
  await one.guest.must(`dd if=/dev/urandom of=${MOUNT}/more bs=64k count=64 oflag=direct status=none`)
  await filesOn(one)
}

async function comeBack(t: Test, one: ClusterNode, two: ClusterNode): Promise<void> {
  await two.startCluster()
  await both(one)
  await filesOn(two)
  const keys = await one.disk.keys()
  t.equal(new Set(keys).size, 2, `it is unfenced again: ${keys}`)
  t.equal(await two.guest.must(`cat ${MOUNT}/one`), 'of node one', 'what the other one wrote is there')
  t.ok(Number(await two.guest.must(LINES)) >= WRITES, 'and so is what it had been told is written')
  await two.guest.must(`echo more >> ${MOUNT}/one; sync`)
  await one.guest.must('crm_resource --resource files --set-parameter target-role --meta --parameter-value Stopped')
  await one.until('crm_resource --resource files --locate 2>&1 | grep -q "NOT running"')
  const { code, output } = await two.guest.run(`e2fsck -f -n ${DEVICE}`)
  t.equal(code, 0, 'the file system has no fault', { output })
}

/** Waits until both nodes are members, as `node` sees it. */
async function both(node: ClusterNode): Promise<void> {
  await node.until('crm_mon -1 | grep -q "Online: \\[ one two \\]"')
}

/** Waits until the cluster says that the file system is on this node, and it is there. */
async function filesOn(node: ClusterNode): Promise<void> {
  const located = `crm_resource --resource files --locate 2>&1 | grep -q "is running on: ${node.name}"`
  await node.until(`mountpoint -q ${MOUNT} && ${located}`)
}
