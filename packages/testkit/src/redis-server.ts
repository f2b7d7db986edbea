/**
 * A Redis of one's own for a test: Debian's redis-server on a free port of the loopback, its files in a folder of the test, each write appended
 * to them before it is answered; a kill loses none of it. It can be stopped, killed, frozen and started again with the same port and files. It dies with the test's process.
 *
 * Left out: clusters. A replica is a second one with `replicaof` among its settings.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from './free-port.js'

const START_MS = 60_000
/** How often it is asked again to end: one that is writing the first file of its log refuses, and forgets that it was asked. */
const STOP_AGAIN_MS = 100
const run = promisify(execFile)

export interface RedisOptions {
  /** For its files; made when it is not there. */
  readonly folder: string
  /** A free one unless told. */
  readonly port?: number
  readonly password?: string
  /** Lines of redis.conf, such as `{ maxmemory: '2mb' }`; they come last, so they win. */
  readonly settings?: Readonly<Record<string, string>>
  /** Makes it a sentinel instead: the lines of its file, such as `sentinel monitor main 127.0.0.1 6379 1`. */
  readonly sentinel?: readonly string[]
}

export class RedisServer {
  readonly port: number
  readonly #options: RedisOptions
  #password: string | undefined
  #child: ChildProcess | undefined
  #output = ''

  private constructor(options: RedisOptions, port: number) {
    this.port = port
    this.#options = options
    this.#password = options.password
  }

  /** Starts one and waits until it answers. */
  static async start(options: RedisOptions): Promise<RedisServer> {
    const server = new RedisServer(options, options.port ?? (await freePort()))
    await server.start()
    return server
  }

  /** `redis://` with the password, where there is one. */
  get url(): string {
    const secret = this.#password === undefined ? '' : `:${encodeURIComponent(this.#password)}@`
    return `redis://${secret}127.0.0.1:${this.port}`
  }

  /** Starts it again after `stop` or `kill`: same port, same files. */
  async start(): Promise<void> {
    if (this.#child) throw new Error('this redis-server is running')
    mkdirSync(this.#options.folder, { recursive: true })
    const command = this.#options.sentinel ? this.#sentinelCommand(this.#options.sentinel) : this.#serverCommand()
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'redis-server', ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    this.#output = ''
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-20_000)
      })
    child.on('error', () => {}) // told by `#ready`
    await this.#ready(child)
  }

  /** SIGTERM, as often as it takes, and waits for the end. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  /** SIGKILL, as a crash. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** SIGSTOP: connections stay, nothing is answered. */
  freeze(): void {
    this.#child?.kill('SIGSTOP')
  }

  /** SIGCONT after `freeze`. */
  thaw(): void {
    this.#child?.kill('SIGCONT')
  }

  /** A new password for who connects from now on, and after a restart. */
  async changePassword(password: string): Promise<void> {
    await this.command('config', 'set', 'requirepass', password)
    this.#password = password
  }

  /** What redis-cli prints for a command, without the line end; rejects when the server answers with an error. */
  async command(...args: readonly string[]): Promise<string> {
    const env = { ...process.env, REDISCLI_AUTH: this.#password ?? '' }
    const { stdout } = await run('redis-cli', ['-e', '-h', '127.0.0.1', '-p', String(this.port), ...args], {
      env,
      maxBuffer: 64 * 1024 * 1024,
    }).catch((error: Error & { stdout?: string; stderr?: string }) => {
      throw new Error(`redis-cli ${args[0]}: ${error.stdout ?? ''}${error.stderr ?? error.message}`)
    })
    return stdout.replace(/\n$/, '')
  }

  #serverCommand(): string[] {
    const settings: Record<string, string> = {
      port: String(this.port),
      bind: '127.0.0.1',
      dir: this.#options.folder,
      save: '',
      appendonly: 'yes',
      appendfsync: 'no', // a disk that takes seconds would be an outage
      'shutdown-timeout': '0', // no waiting for replicas
      'repl-diskless-sync-delay': '0',
      ...(this.#password !== undefined && { requirepass: this.#password }),
      ...this.#options.settings,
    }
    return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  }

  /** A sentinel keeps what it learns in its file, which is made anew with every start. */
  #sentinelCommand(lines: readonly string[]): string[] {
    const { folder } = this.#options
    const file = join(folder, 'sentinel.conf')
    writeFileSync(file, [`port ${this.port}`, 'bind 127.0.0.1', `dir ${folder}`, ...lines, ''].join('\n'))
    return [file, '--sentinel']
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill(signal)
    child.kill('SIGCONT') // a frozen one ends too
    const again = setInterval(() => child.kill(signal), STOP_AGAIN_MS)
    await exit
    clearInterval(again)
  }

  async #ready(child: ChildProcess): Promise<void> {
    const deadline = performance.now() + START_MS
    for (;;) {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
        this.#child = undefined
        throw new Error(`redis-server does not start; is the Debian package redis-server there?\n${this.#output}`)
      }
      const answer = await this.command('ping').catch((error: unknown) => String(error))
      if (answer === 'PONG' || answer.includes('NOREPLICAS') || answer.includes('MASTERDOWN')) return
      if (performance.now() > deadline) {
        await this.kill()
        throw new Error(`redis-server did not answer within ${START_MS} ms: ${answer}\n${this.#output}`)
      }
      await sleep(20)
    }
  }
}
