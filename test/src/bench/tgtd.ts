// tgtd, the userspace target that Debian ships, as the benchmarks run it: its usual backing store over one file, a control
// port of its own beside whatever other tgtd there is. It needs root, for its socket in /var/run.

import { rmSync } from 'node:fs'
import { freePort } from '@scsipub/testkit'
import { type Ran, runProgram } from '../harness/run-program.js'
import { ChildServer } from './child-server.js'

const TARGET = 'iqn.2025-01.pub.scsipub:peer'

/** tgtd takes control port numbers below this. */
const CONTROL_PORTS = 0x8000

export class Tgtd {
  readonly url: string
  readonly #server: ChildServer
  readonly #control: string

  private constructor(port: number) {
    this.url = `iscsi://127.0.0.1:${port}/${TARGET}/1`
    this.#control = String(port % CONTROL_PORTS)
    this.#server = new ChildServer('tgtd', ['-f', '-C', this.#control, '--iscsi', `portal=127.0.0.1:${port}`])
  }

  /** Serves `file` as logical unit 1 of a target that takes everybody. */
  static async start(file: string): Promise<Tgtd> {
    const tgtd = new Tgtd(await freePort())
    try {
      await tgtd.#server.untilReady(async () =>
        (await tgtd.#admin('--op show --mode system')).code === 0 ? true : undefined,
      )
      await tgtd.#set(`--op new --mode target --tid 1 -T ${TARGET}`)
      await tgtd.#set(`--op new --mode logicalunit --tid 1 --lun 1 -b ${file}`)
      await tgtd.#set('--op bind --mode target --tid 1 -I ALL')
      return tgtd
    } catch (error) {
      await tgtd.stop()
      throw error
    }
  }

  /** It does as it is told once it has no target, and leaves its socket behind. */
  async stop(): Promise<void> {
    await this.#admin('--op delete --force --mode target --tid 1')
    await this.#admin('--op delete --mode system')
    await this.#server.stop('SIGKILL')
    for (const end of ['', '.lock']) rmSync(`/var/run/tgtd/socket.${this.#control}${end}`, { force: true })
  }

  async #set(args: string): Promise<void> {
    const { code, stderr } = await this.#admin(args)
    if (code !== 0) throw new Error(`tgtadm ${args}: ${stderr}`)
  }

  #admin(args: string): Promise<Ran> {
    return runProgram('tgtadm', ['-C', this.#control, '--lld', 'iscsi', ...args.split(' ')])
  }
}
