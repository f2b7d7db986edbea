// A Linux guest as a user sets one up: it is told of its target, proves itself by CHAP, logs in and out again, and asks its disk for keys by
// sg_persist.

import { HOST_IN_GUEST } from '../harness/guest.js'
import { initiatorOf, type LiveGuest } from '../harness/live-guest.js'
import type { SharedDisk } from '../harness/shared-disk.js'

export interface NodeOptions {
  /** Port of the server on the host's loopback. */
  readonly port: number
  readonly disk: SharedDisk
  /** Sessions that one login makes, each with an ISID of its own. */
  readonly sessions?: number
  /** `node.session.timeo.replacement_timeout`, in seconds. */
  readonly replacementTimeout?: number
  /** `node.conn[0].timeo.noop_out_timeout`, in seconds: after it without an answer to a ping the connection is given up. */
  readonly pingTimeout?: number
}

export class LinuxNode {
  readonly guest: LiveGuest
  readonly #target: string
  readonly #record: string

  private constructor(guest: LiveGuest, target: string, record: string) {
    this.guest = guest
    this.#target = target
    this.#record = record
  }

  /** Writes down how to log in to the target. @throws Error when a command fails */
  static async setUp(guest: LiveGuest, options: NodeOptions): Promise<LinuxNode> {
    const { port, disk, sessions = 1, replacementTimeout = 120, pingTimeout = 5 } = options
    const record = `iscsiadm -m node -T ${disk.iqn} -p ${HOST_IN_GUEST}:${port}`
    // Discovery without a password does not show a target that asks for one.
    await guest.must(`${record} -o new`)
    const settings = {
      'node.session.auth.authmethod': 'CHAP',
      'node.session.auth.username': disk.user,
      'node.session.auth.password': disk.secret,
      'node.session.nr_sessions': sessions,
      'node.session.timeo.replacement_timeout': replacementTimeout,
      'node.conn[0].timeo.noop_out_timeout': pingTimeout,
    }
    for (const [key, value] of Object.entries(settings)) await guest.must(`${record} -o update -n ${key} -v '${value}'`)
    return new LinuxNode(guest, disk.iqn, record)
  }

  /** Logs in; `$d` is LUN 0 from then on. */
  async login(): Promise<void> {
    await this.guest.must(`${this.#record} --login`)
    await this.guest.must(`d=$(disk ${this.#target} 0); test -b $d; udevadm settle`)
    await this.ready()
  }

  async logout(): Promise<void> {
    await this.guest.must(`udevadm settle; ${this.#record} --logout`)
  }

  /** Waits until the disk answers: commands wait while the session is being restored. Takes all unit attentions. */
  async ready(): Promise<void> {
    await this.guest.must('for i in $(seq 300); do sg_turs $d && break; sleep 1; done; sg_turs $d')
  }

  /** Keys as READ KEYS gives them, sorted. */
  async keys(): Promise<string[]> {
    const output = await this.guest.must('sg_turs $d; sg_persist -n -i -k -d $d')
    return [...output.matchAll(/^\s+0x([0-9a-f]+)$/gm)].map(([, key]) => key!).toSorted()
  }

  /** Key and type of the reservation. */
  async reservation(): Promise<{ key: string | undefined; type: string | undefined }> {
    const output = await this.guest.must('sg_turs $d; sg_persist -n -i -r -d $d')
    return { key: /Key=0x([0-9a-f]+)/.exec(output)?.[1], type: /type: (.*)$/m.exec(output)?.[1] }
  }

  /** ISIDs under which this node is registered, by READ FULL STATUS. */
  async registeredIsids(): Promise<string[]> {
    const output = await this.guest.must('sg_turs $d; sg_persist -n -i -s -d $d')
    const name = initiatorOf(this.guest.name).replaceAll('.', '\\.')
    return [...output.matchAll(new RegExp(`${name},i,0x([0-9a-f]{12})`, 'g'))].map(([, isid]) => isid!)
  }

  /** Exit code of a write of one block, past the page cache. */
  async write(lba: number): Promise<number> {
    const dd = `dd if=/dev/urandom of=$d bs=512 seek=${lba} count=1 oflag=direct conv=notrunc`
    return (await this.guest.run(dd)).code
  }
}
