// Our server as the benchmarks run it: an operator's configuration with two session workers, its data where it is told.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { iqn } from '../harness/server.js'
import { ROOT } from '../repository.js'
import { ChildServer } from './child-server.js'

/** A LUN as the configuration file has it. */
export interface LunKeys {
  readonly image?: string
  readonly sizeBytes?: number
}

const WORKERS = 2

export class Scsipub {
  readonly port: number
  /** Where it answers HTTP. */
  readonly api: string
  readonly #server: ChildServer

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

  url(target: string, lun = 0): string {
    return `iscsi://127.0.0.1:${this.port}/${iqn(target)}/${lun}`
  }

  async stop(): Promise<void> {
    await this.#server.stop('SIGTERM')
  }
}
