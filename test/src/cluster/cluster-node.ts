// A node of a two-node Pacemaker cluster in an emulated machine: Debian's corosync and pacemaker, on a wire of their own between the two, and a session to
// the disk that both share.

import { join } from 'node:path'
import { LiveGuest } from '../harness/live-guest.js'
import { LinuxNode, type NodeOptions } from '../interop/linux-node.js'
import { COROSYNC, DEVICE, NODES, type NodeName } from './configuration.js'

const PACKAGES = ['corosync', 'pacemaker', 'pacemaker-cli-utils', 'resource-agents', 'psmisc']
const MEMORY_MIB = 768
const LOOK_MS = 2_000
/** Emulated machines take their time: corosync waits for a lost node, then the agents begin. */
const PATIENCE_MS = 300_000

export class ClusterNode {
  readonly name: NodeName
  readonly guest: LiveGuest
  readonly disk: LinuxNode

  private constructor(name: NodeName, guest: LiveGuest, disk: LinuxNode) {
    this.name = name
    this.guest = guest
    this.disk = disk
  }

  /** Boots it, logs in, and writes down what cluster it belongs to. `wires`: folder for the ends of the wire. */
  static async boot(name: NodeName, wires: string, options: NodeOptions): Promise<ClusterNode> {
    const other = name === 'one' ? 'two' : 'one'
    const wire = { local: join(wires, name), remote: join(wires, other), number: NODES[name] }
    const guest = await LiveGuest.boot(name, { packages: PACKAGES, memoryMiB: MEMORY_MIB, wire })
    try {
      const disk = await LinuxNode.setUp(guest, options)
      await disk.login()
      await guest.must(`test -b ${DEVICE}`)
      await guest.must('mount -t tmpfs tmpfs /dev/shm') // how Pacemaker's parts speak to each other
      await guest.must(`ip link set eth1 up; ip address add 192.168.7.${NODES[name]}/24 dev eth1`)
      await guest.must("printf '192.168.7.1 one\\n192.168.7.2 two\\n' >> /etc/hosts")
      await guest.must(`cat > /etc/corosync/corosync.conf <<'END'\n${COROSYNC}\nEND\n`)
      return new ClusterNode(name, guest, disk)
    } catch (error) {
      await guest.end()
      throw error
    }
  }

  /** Begins to be a node. */
  async startCluster(): Promise<void> {
    // Pacemaker asks the agent what it can do, and takes no answer within seconds for a no: the first time Python has all to load.
    await this.guest.must('fence_scsi -o metadata > /dev/null')
    await this.guest.must('corosync')
    await this.guest.must('(pacemakerd > /tmp/pacemakerd 2>&1 &)')
  }

  /** Waits until a line of shell succeeds. @throws Error with what it printed last, when that takes too long */
  async until(line: string): Promise<string> {
    const endMs = performance.now() + PATIENCE_MS
    for (;;) {
      const { code, output } = await this.guest.run(line)
      if (code === 0) return output
      if (performance.now() > endMs)
        throw new Error(`${this.name}: never so: ${line}\n${output}\n${await this.story()}`)
      await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    }
  }

  /** What to look at when something went wrong. */
  async story(): Promise<string> {
    const { output } = await this.guest.run(
      'crm_mon -1 -m 3 -n; corosync-quorumtool -s; tail -n 60 /var/log/pacemaker/pacemaker.log; tail -n 20 /var/log/corosync/corosync.log',
    )
    return output
  }
}
