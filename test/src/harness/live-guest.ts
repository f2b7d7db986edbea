// Emulated Linux machines that stay up while a test does things to them and to the server: each runs the command lines that it is sent,
// one after the other, in one shell. Several may run at once, each with an initiator name of its own.
//
// A guest reads commands from its second serial port and answers on it. The machine itself is asked over QMP: for its network
// cable to be pulled, say.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { GuestStep } from './guest.js'
import { type GuestFiles, guestFiles, type MachineOptions, machine, QEMU } from './guest-machine.js'
import { PATIENT_DISK } from './guest-patience.js'
import { DIES_WITH_PARENT } from './run-program.js'

/** What a guest does: runs the lines that it is sent. */
const JOB = `${PATIENT_DISK}
exec 3< /dev/ttyS1
echo @ready
while IFS= read -r line <&3; do eval "$line"; done
`
const BOOT_MS = 900_000
const COMMAND_MS = 600_000
const MEMORY_MIB = 512

export interface BootOptions extends Omit<MachineOptions, 'name'> {
  /** Beside those that every guest has, see `guestImage`. */
  readonly packages?: readonly string[]
}
const KEPT_CHARACTERS = 40_000

/** Initiator name of a guest. */
export const initiatorOf = (guest: string): string => `iqn.2025-01.pub.scsipub.test:${guest}`

export class LiveGuest {
  readonly name: string
  readonly #files: GuestFiles
  readonly #machine: ChildProcess
  readonly #servers: readonly Server[]
  readonly #job: Conversation
  readonly #qmp: Conversation
  #console = ''
  #tail: Promise<unknown> = Promise.resolve()
  #steps = 0

  private constructor(o: {
    name: string
    files: GuestFiles
    machine: ChildProcess
    servers: readonly Server[]
    job: Conversation
    qmp: Conversation
  }) {
    this.name = o.name
    this.#files = o.files
    this.#machine = o.machine
    this.#servers = o.servers
    this.#job = o.job
    this.#qmp = o.qmp
    o.machine.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#console = (this.#console + text).slice(-KEPT_CHARACTERS)
    })
  }

  /**
   * Boots a guest and waits until it takes commands.
   * @throws Error when it does not in time
   */
  static async boot(name: string, { packages, ...options }: BootOptions = {}): Promise<LiveGuest> {
    const files = await guestFiles(JOB, packages)
    const paths = [join(files.folder, 'job.socket'), join(files.folder, 'qmp.socket')] as const
    const servers = [createServer(), createServer()] as const
    for (const [at, server] of servers.entries()) server.listen(paths[at])
    await Promise.all(servers.map(server => once(server, 'listening')))
    const connected = Promise.all(servers.map(server => once(server, 'connection') as Promise<[Socket]>))
    const job = ['-chardev', `socket,id=job,path=${paths[0]}`, '-serial', 'stdio', '-serial', 'chardev:job']
    const args = [...machine(files, { name, memoryMiB: MEMORY_MIB, ...options }), ...job, '-qmp', `unix:${paths[1]}`]
    const child = spawn('setpriv', [...DIES_WITH_PARENT, QEMU, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`${QEMU} ended with code ${code}`)))
    const sockets = await Promise.race([connected, ended]).catch((error: unknown) => {
      child.kill('SIGKILL')
      for (const server of servers) server.close()
      files.remove()
      throw error
    })
    const [[jobSocket], [qmpSocket]] = sockets as [[Socket], [Socket]]
    ended.catch(() => undefined)
    const conversations = { job: new Conversation(jobSocket), qmp: new Conversation(qmpSocket) }
    const guest = new LiveGuest({ name, files, machine: child, servers, ...conversations })
    try {
      await Promise.race([guest.#job.until(/^@ready$/m, BOOT_MS), ended])
      await guest.#qmp.ask('{"execute":"qmp_capabilities"}', /"return"/, COMMAND_MS)
      return guest
    } catch (error) {
      await guest.end()
      throw new Error(`guest ${name}: ${(error as Error).message}\n${guest.console}`)
    }
  }

  /**
   * Runs a line of shell in the guest, and waits for its end; variables and functions last. Lines are run in the order of the calls.
   * @throws Error when it does not end in time
   */
  run(line: string, timeoutMs = COMMAND_MS): Promise<GuestStep> {
    const result = this.#tail.then(() => this.#run(line, timeoutMs))
    this.#tail = result.catch(() => undefined)
    return result
  }

  /**
   * As `run`, for a line that has to succeed.
   * @throws Error with what it printed unless its exit code is 0
   */
  async must(line: string, timeoutMs = COMMAND_MS): Promise<string> {
    const { code, output } = await this.run(line, timeoutMs)
    if (code !== 0) throw new Error(`guest ${this.name}: ${line}: exit code ${code}\n${output}`)
    return output
  }

  /** Pulls the network cable of a card, or puts it in again. */
  setLink(up: boolean, card: 'net' | 'wire' = 'net'): Promise<void> {
    return this.#tell('set_link', { name: card, up })
  }

  /** Stops the machine in whatever it does, as if it hung. */
  freeze(): Promise<void> {
    return this.#tell('stop')
  }

  /** It goes on where it was. */
  thaw(): Promise<void> {
    return this.#tell('cont')
  }

  /** The kernel's console: what to look at when something went wrong. */
  get console(): string {
    return this.#console
  }

  /** Pulls the plug; resolves when the machine is gone. */
  async end(): Promise<void> {
    const gone = this.#machine.exitCode === null && this.#machine.signalCode === null && once(this.#machine, 'exit')
    this.#machine.kill('SIGKILL')
    this.#job.close()
    this.#qmp.close()
    for (const server of this.#servers) server.close()
    this.#files.remove()
    await gone
  }

  async #tell(execute: string, args?: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#qmp.ask(JSON.stringify({ execute, arguments: args }), /"return"/, COMMAND_MS)
  }

  async #run(line: string, timeoutMs: number): Promise<GuestStep> {
    const name = `live-${++this.#steps}`
    const printed = await this.#job.ask(`step ${name} eval ${quoted(line)}`, /^@code \d+\n/m, timeoutMs)
    const [, output = '', code] = new RegExp(`@step ${name}\\n([\\s\\S]*?)\\n@code (\\d+)$`, 'm').exec(printed) ?? []
    return { code: Number(code), output: output.trim() }
  }
}

/** Boots guests at the same time, gives them to `use`, and ends them. */
export async function withGuests<Names extends readonly string[]>(
  names: Names,
  use: (...guests: { [At in keyof Names]: LiveGuest }) => Promise<void>,
): Promise<void> {
  const booted = await Promise.allSettled(names.map(name => LiveGuest.boot(name)))
  const guests = booted.flatMap(boot => (boot.status === 'fulfilled' ? [boot.value] : []))
  try {
    for (const boot of booted) if (boot.status === 'rejected') throw boot.reason
    await use(...(guests as { [At in keyof Names]: LiveGuest }))
  } finally {
    await Promise.all(guests.map(guest => guest.end()))
  }
}

/** As one word of bash on one line. */
function quoted(text: string): string {
  return `$'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`
}

/** Text that comes over a socket, and waiting for it. */
class Conversation {
  readonly #socket: Socket
  #text = ''
  #look = () => {}

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('error', () => undefined)
    socket.setEncoding('utf8').on('data', (text: unknown) => {
      this.#text += String(text)
      this.#look()
    })
  }

  /** Sends a line and waits for what answers it. @throws Error, see `until` */
  ask(line: string, answer: RegExp, timeoutMs: number): Promise<string> {
    this.#text = ''
    this.#socket.write(`${line}\n`)
    return this.until(answer, timeoutMs)
  }

  /** What has come once that is in it. @throws Error when it is not in time, with what has come */
  until(wanted: RegExp, timeoutMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#look = () => {}
        reject(new Error(`no answer within ${timeoutMs} ms; what came:\n${this.#text}`))
      }, timeoutMs)
      this.#look = () => {
        if (!wanted.test(this.#text)) return
        clearTimeout(timer)
        this.#look = () => {}
        resolve(this.#text)
      }
      this.#look()
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}
