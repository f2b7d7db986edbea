// A server in this process, whose storage engine can be ended in all the ways in which a thread ends.

import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { BroadcastChannel } from 'node:worker_threads'
import { loadConfig } from '@scsipub/config'
import { createLog, Server, type ServerLimits } from '@scsipub/supervisor'
import type { PortalAddress } from '@scsipub/testkit'
import type { Test } from 'tap'
import { FAULTS, type Fault } from './fault.js'

const WORKER = pathToFileURL(createRequire(import.meta.url).resolve('@scsipub/session-worker/main'))
const ENGINE = new URL('./faulty-engine.js', import.meta.url)

export type Line = Record<string, unknown> & { readonly event?: string }

export interface LabOptions {
  readonly dataDir?: string
  readonly engine?: NonNullable<ServerLimits['engine']>
  /** Further keys of the configuration. */
  readonly config?: object
}

export class EngineLab {
  readonly server: Server
  readonly dataDir: string
  readonly log: readonly Line[]
  /** Why the server could not go on. */
  readonly failures: readonly string[]
  readonly #channel = new BroadcastChannel(FAULTS)

  private constructor(server: Server, dataDir: string, log: readonly Line[], failures: readonly string[]) {
    this.server = server
    this.dataDir = dataDir
    this.log = log
    this.failures = failures
  }

  /** Gives `use` a server; see `start`. It is stopped at the end. */
  static async with(t: Test, o: LabOptions, use: (lab: EngineLab) => Promise<void>): Promise<void> {
    const lab = await EngineLab.start(t, o)
    try {
      await use(lab)
    } finally {
      await lab.stop()
    }
  }

  /** Starts a server with the target `shared` (three disks) in the data directory; whoever starts it stops it. */
  static async start(t: Test, o: LabOptions = {}): Promise<EngineLab> {
    const log: Line[] = []
    const failures: string[] = []
    const dataDir = o.dataDir ?? t.testdir()
    const path = join(dataDir, 'config.json')
    const luns = [0, 1, 2].map(() => ({ sizeBytes: 4 << 20 }))
    const file = {
      dataDir,
      listen: { iscsi: '127.0.0.1:0', http: '127.0.0.1:0' },
      workers: 2,
      log: { level: 'silent' }, // of the other threads, which write to standard output
      targets: [{ name: 'shared', auth: 'none', luns }],
      ...o.config,
    }
    writeFileSync(path, JSON.stringify(file))
    const config = loadConfig({ path, env: {} })
    const server = await Server.start({
      config,
      log: createLog('debug', { write: text => void log.push(JSON.parse(text) as Line) }),
      engineEntry: ENGINE,
      workerEntry: WORKER,
      onFailure: why => void failures.push(why),
      onStopRequest: () => {},
      ...(o.engine && { limits: { engine: o.engine } }),
    })
    return new EngineLab(server, dataDir, log, failures)
  }

  get portal(): PortalAddress {
    const [host, port] = this.server.address.split(':') as [string, string]
    return { host, port: Number(port) }
  }

  /** `http://127.0.0.1:PORT` */
  get api(): string {
    return `http://${this.server.httpAddress}`
  }

  get port(): number {
    return this.portal.port
  }

  /** Descriptors and mappings of files in the data directory, and which ones are open. */
  held(): { descriptors: number; mappings: number; open: string[] } {
    const links = readdirSync('/proc/self/fd').map(fd => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`)
      } catch {
        return '' // it has gone meanwhile
      }
    })
    const maps = readFileSync('/proc/self/maps', 'utf8').split('\n')
    const ours = (text: string) => text.includes(this.dataDir) && !text.includes('/state/')
    const open = links.filter(ours)
    return { descriptors: open.length, mappings: maps.filter(ours).length, open }
  }

  /** Has the engine's thread end, or stand still. */
  cause(fault: Fault): void {
    this.#channel.postMessage(fault)
  }

  /** How many lines of the log have that event. */
  count(event: string): number {
    return this.log.filter(line => line.event === event).length
  }

  async stop(): Promise<void> {
    this.#channel.close()
    this.server.stopAccepting()
    await this.server.drainSessions()
    await this.server.close().catch(error => {
      if (this.failures.length === 0) throw error // without an engine it cannot close well
    })
  }
}
