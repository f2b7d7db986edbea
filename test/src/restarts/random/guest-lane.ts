// A Linux machine with an ext4 on a leased disk, which fio writes and verifies all the time. Its kernel must see no I/O error; and where no connection may end, it must have the connection that
// it had at first, and its log must say nothing of another.

import { setTimeout } from 'node:timers/promises'
import type { LeaseAnswer } from '../../chaos/kill/tenant.js'
import type { LiveGuest } from '../../harness/live-guest.js'
import { LinuxNode } from '../../interop/linux-node.js'
import { VerifiedLoad } from '../../interop/verified-load.js'
import type { Breaks } from './breaks.js'
import type { Lane } from './lane.js'

const LOOK_MS = 2_000
const IO_ERRORS = /I\/O error|EXT4-fs (error|warning)|Buffer I\/O|JBD2: .*error|medium error|rejecting I\/O/i
/** The initiator has lost its connection, or given a command up. */
const CONNECTION_ERRORS = /conn error|session recovery|ping timeout|timing out command|host reset|lun reset|abort/i
/** Ends of the connections to the server, as the guest has them. */
const CONNECTIONS = (port: number) => `ss -Htn "dport = :${port}" | awk '{ print $1, $4 }'`
/** What it has counted of timeouts, digest errors and commands that were given up. */
const COUNTS = 'iscsiadm -m session -s | grep -E "(timeout|digest)_err|eh_abort_cnt"'

export interface GuestLaneOptions {
  readonly guest: LiveGuest
  readonly port: number
  readonly disk: LeaseAnswer
  readonly breaks: Breaks
  /** Connections may end in this run. */
  readonly mayBreak: boolean
}

export class GuestLane implements Lane {
  readonly name = 'Linux guest, rounds of fio'
  done = 0
  readonly #options: GuestLaneOptions
  #node: LinuxNode | undefined
  #stopped = false

  constructor(options: GuestLaneOptions) {
    this.#options = options
  }

  stop(): void {
    this.#stopped = true
  }

  async run(): Promise<void> {
    this.#stopped = false
    const { guest, port, disk, breaks } = this.#options
    const shared = { iqn: disk.iqn, user: disk.chap_user, secret: disk.chap_secret }
    this.#node ??= await LinuxNode.setUp(guest, { port, disk: shared })
    await this.#node.login()
    await guest.must('dmesg -C')
    const before = await this.#connection()
    const load = new VerifiedLoad(guest)
    await load.begin('$d')
    const began = this.done
    while (!this.#stopped && !breaks.fault) {
      this.done = began + (await load.rounds())
      await this.#look(before)
      const failure = await load.failure()
      if (failure !== '') throw new Error(`${this.name}: ${failure}`)
      await setTimeout(LOOK_MS)
    }
    const faults = await load.end()
    if (faults.length > 0) throw new Error(`${this.name}: ${faults.join('; ')}`)
    await this.#look(before)
    await this.#node.logout()
  }

  async #connection(): Promise<string> {
    const { guest, port, mayBreak } = this.#options
    return mayBreak ? '' : `${await guest.must(CONNECTIONS(port))}\n${await guest.must(COUNTS)}`
  }

  /** @throws Error when the kernel has seen what it must not */
  async #look(before: string): Promise<void> {
    const { guest, mayBreak } = this.#options
    const kernel = (await guest.must('dmesg')).split('\n')
    const faults = kernel.filter(line => IO_ERRORS.test(line) || (!mayBreak && CONNECTION_ERRORS.test(line)))
    if (faults.length > 0) throw new Error(`${this.name}: ${faults.join('\n')}`)
    const now = await this.#connection()
    if (now !== before) throw new Error(`${this.name}: connections were\n${before}\nand are\n${now}`)
  }
}
