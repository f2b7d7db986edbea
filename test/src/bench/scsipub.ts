// Our server as the benchmarks run it: an operator's configuration with two session workers, its data where it is told.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { iqn } from '../harness/server.js'
import { ROOT } from '../repository.js'
import { ChildServer } from './child-server.js'

/** A LUN as the configuration file has it. */
export interface LunKeys {
  readonly image?: string
  readonly sizeBytes?: number
}

const WORKERS = 2
const POLL_MS = 50
/** For `administer`, as `admin.token`. */
export const ADMIN_TOKEN = 'benchmark-of-an-operator'

export class Scsipub {
  readonly port: number
  /** Where it answers HTTP. */
  readonly api: string
  readonly #server: ChildServer
  /** The process that goes on after an upgrade, whose child is nobody's. */
  #heir: number | undefined

  private constructor(port: number, api: string, server: ChildServer) {
    this.port = port
    this.api = api
    this.#server = server
  }

  /** `targets`: LUNs by the name of the target that has them. No cap on sessions. `more`: other keys of the configuration. */
  static async start(
    dataDir: string,
    targets: Readonly<Record<string, readonly LunKeys[]>> = {},
    more: object = {},
  ): Promise<Scsipub> {
    const config = join(dataDir, 'config.json')
    writeFileSync(
      config,
      JSON.stringify({
        dataDir,
        workers: WORKERS,
        listen: { iscsi: '127.0.0.1:0', http: '127.0.0.1:0' },
        free: { maxSessions: 0, maxSessionsPerAddress: 0 },
        targets: Object.entries(targets).map(([name, luns]) => ({ name, auth: 'none', luns })),
        log: { level: 'info' },
        ...more,
      }),
    )
    // What `npm start` runs; every part of it is an `exec`, so that the process is the server.
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: { start: string } }
    const server = new ChildServer('sh', ['-c', `cd "$1" && ${scripts.start} --config "$2"`, 'sh', ROOT, config])
    const port = await server.untilReady(() => /"server\.ready","iscsi":"[^"]*:(\d+)"/.exec(server.printed)?.[1])
    const http = /"server\.ready".*"http":"([^"]*)"/.exec(server.printed)?.[1]
    return new Scsipub(Number(port), `http://${http}`, server)
  }

  get pid(): number {
    return this.#server.pid
  }

  /** What an administrator's POST answers. @throws Error when the server refuses */
  async administer<T>(call: string): Promise<T> {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
    const response = await fetch(`${this.api}/api/admin/${call}`, { method: 'POST', headers })
    if (!response.ok) throw new Error(`${call} was refused: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }

  url(target: string, lun = 0): string {
    return `iscsi://127.0.0.1:${this.port}/${iqn(target)}/${lun}`
  }

  /** Replaces the process by another one; what the server says of it. */
  async upgrade<T extends { to: { pid: number } }>(): Promise<T> {
    const report = await this.administer<T>('upgrade')
    this.#heir = report.to.pid
    return report
  }

  async stop(): Promise<void> {
    await this.#server.stop('SIGTERM')
    if (this.#heir === undefined) return
    process.kill(this.#heir, 'SIGTERM')
    while (existsSync(`/proc/${this.#heir}`)) await setTimeout(POLL_MS)
  }
}
