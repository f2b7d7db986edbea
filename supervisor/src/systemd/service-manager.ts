/**
 * What the server tells the service manager that has started it, by datagrams of `KEY=value` lines to the socket that `NOTIFY_SOCKET` names [sd_notify(3)]:
 * that it is ready and under which process id, that it stops, that it is alive. Without such a socket nobody is told, and nothing is different.
 *
 * After an upgrade in place the new process tells its own id (MAINPID), which systemd believes with `NotifyAccess=all`.
 *
 * Left out: sockets of virtual machines (`vsock:`), storing descriptors (FDSTORE).
 */
import { sendDatagram } from '@scsipub/posix'
import type { Log } from '../log.js'

export class ServiceManager {
  readonly #socket: string | undefined
  readonly #log: Pick<Log, 'warn'>
  #complained = false

  /** `env`: that of the process. */
  constructor(env: NodeJS.ProcessEnv, log: Pick<Log, 'warn'>) {
    const socket = env['NOTIFY_SOCKET']
    this.#socket = socket !== undefined && /^[/@]./.test(socket) ? socket : undefined
    this.#log = log
  }

  /** This process serves; `status` is for people. */
  ready(status: string): void {
    this.#tell(`READY=1\nMAINPID=${process.pid}\nSTATUS=${status}`)
  }

  /** The server is about to end; `status` says why. */
  stopping(status: string): void {
    this.#tell(`STOPPING=1\nSTATUS=${status}`)
  }

  /** Something that people want to see in `systemctl status`. */
  status(status: string): void {
    this.#tell(`STATUS=${status}`)
  }

  /** The server is well; to be said again and again, see `Watchdog`. */
  alive(): void {
    this.#tell('WATCHDOG=1')
  }

  /** Never throws: a service manager that is away is no reason to stop serving. */
  #tell(lines: string): void {
    if (this.#socket === undefined) return
    try {
      sendDatagram(this.#socket, Buffer.from(lines))
      this.#complained = false
    } catch (error) {
      if (this.#complained) return
      this.#complained = true
      this.#log.warn({ event: 'systemd.unreachable', socket: this.#socket, why: (error as Error).message })
    }
  }
}
