// The server as a process of its own, as an operator starts it, and restarts everything of it. After an upgrade it is another process: whoever has said last that it is ready. All of
// them write to one log.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { LIMITED_SERVER, type Limits, limitsVariable } from '../../harness/limited-server.js'
import { DIES_WITH_PARENT } from '../../harness/run-program.js'
import type { LogLine } from '../../harness/server.js'
import { ROOT } from '../../repository.js'
import { ORDERS_VARIABLE, type Order, type OrderAnswer, socketOf } from './fault-order.js'

const READY_MS = 180_000
const STOP_MS = 90_000
const ORDER_MS = 60_000
const FAULTS = new URL('./fault-threads.js', import.meta.url)

export interface OperatorAnswer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: what the API says is looked into without ceremony
  readonly body: any
}

export interface RestartedServerOptions {
  readonly configFile: string
  readonly adminToken: string
  /** Limits of time other than the server's own. */
  readonly limits?: Limits
}

export class RestartedServer {
  readonly log: LogLine[] = []
  /** What it printed that is no line of the log. */
  readonly complaints: string[] = []
  readonly #options: RestartedServerOptions
  /** Of the sockets for orders: the name of a socket is short. */
  readonly #folder = mkdtempSync(join(tmpdir(), 'orders-'))
  readonly #child: ChildProcess
  readonly #exit: Promise<number | null>
  readonly #everybodyGone: Promise<unknown>

  /** Starts one; see `logged` for when it is ready. */
  constructor(options: RestartedServerOptions) {
    this.#options = options
    const main = options.limits ? LIMITED_SERVER : join(ROOT, 'supervisor/dist/main.js')
    // What counts objects in a heap is experimental, and says so.
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--import', FAULTS.href]
    const command = [...node, main, '--config', options.configFile]
    this.#child = spawn('setpriv', [...DIES_WITH_PARENT, ...command], {
      env: { ...process.env, ...(options.limits && limitsVariable(options.limits)), [ORDERS_VARIABLE]: this.#folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#exit = once(this.#child, 'exit').then(([code]) => code as number | null)
    this.#everybodyGone = once(this.#child.stdout!, 'close')
    createInterface({ input: this.#child.stdout! }).on('line', line => this.#take(line))
    createInterface({ input: this.#child.stderr! }).on('line', line => this.complaints.push(line))
  }

  /** Of the process that serves. */
  get pid(): number {
    return Number(this.#serving.pid)
  }

  get port(): number {
    return Number(String(this.#serving.iscsi).split(':').at(-1))
  }

  get api(): string {
    return `http://${String(this.#serving.http)}`
  }

  /** Calls `METHOD /api/admin/…` over a connection of its own. */
  async operator(what: string, body?: object): Promise<OperatorAnswer> {
    const [method = '', path = ''] = what.split(' ')
    const response = await fetch(`${this.api}/api/admin${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#options.adminToken}`,
        connection: 'close',
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    return { status: response.status, body: await response.json() }
  }

  /** Tells the serving process something that only tests do. */
  async order(order: Order): Promise<OrderAnswer> {
    const socket = connect(socketOf(this.#folder, this.pid))
    socket.setTimeout(ORDER_MS, () => socket.destroy(new Error(`no answer to the order ${JSON.stringify(order)}`)))
    socket.write(JSON.stringify(order))
    let text = ''
    for await (const chunk of socket.setEncoding('utf8')) text += chunk
    return JSON.parse(text) as OrderAnswer
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name)
  }

  /** How many lines of the log have that event. */
  count(event: string): number {
    return this.log.filter(line => line.event === event).length
  }

  /** Waits until so many lines of the log have that event. @throws Error with the end of the log */
  async logged(event: string, times = 1, limitMs = READY_MS): Promise<void> {
    const end = performance.now() + limitMs
    while (this.count(event) < times) {
      if (performance.now() > end || this.#child.stdout!.closed)
        throw new Error(`the server has not logged ${event} ${times} times; at last it said:\n${this.lastSaid}`)
      await setTimeout(10)
    }
  }

  /** Waits until that process has said that it is ready. */
  async servedBy(pid: number): Promise<void> {
    const isReady = () => this.log.some(line => line.event === 'server.ready' && line.pid === pid)
    for (const end = performance.now() + READY_MS; !isReady(); await setTimeout(10))
      if (performance.now() > end) throw new Error(`process ${pid} does not serve; at last it said:\n${this.lastSaid}`)
  }

  get lastSaid(): string {
    return [...this.log.slice(-30).map(line => JSON.stringify(line)), ...this.complaints.slice(-10)].join('\n')
  }

  /** The exit code of the process that was started first, once all are gone. */
  async ended(): Promise<number | null> {
    const gone = await Promise.race([this.#everybodyGone, setTimeout(STOP_MS, 'late', { ref: false })])
    if (gone === 'late') throw new Error(`the server does not end; at last it said:\n${this.lastSaid}`)
    return this.#exit
  }

  /** Ends whatever is left of it. */
  async kill(): Promise<void> {
    const pids = new Set([this.#child.pid ?? 0, ...this.log.map(({ pid }) => Number(pid ?? 0))])
    for (const pid of pids) {
      try {
        if (pid > 0) process.kill(pid, 'SIGKILL')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    }
    await this.#everybodyGone
    rmSync(this.#folder, { recursive: true, force: true })
  }

  get #serving(): LogLine {
    const line = this.log.findLast(({ event }) => event === 'server.ready')
    if (!line) throw new Error('the server is not ready yet')
    return line
  }

  #take(line: string): void {
    try {
      this.log.push(JSON.parse(line) as LogLine)
    } catch {
      this.complaints.push(line)
    }
  }
}
