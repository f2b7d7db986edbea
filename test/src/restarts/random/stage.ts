// What a run is about: the server with its targets and two leases.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { imageContent, KILL_CONFIG, type KillDisk, THIN_WEIGHTS } from '../../chaos/kill/kill-disks.js'
import { ADMIN_TOKEN, type LeaseAnswer, Tenant } from '../../chaos/kill/tenant.js'
import { SECTOR_BYTES } from '../../chaos/sector-value.js'
import { RestartedServer } from './restarted-server.js'

export const WORKERS = 2
const MIB = 1 << 20
const GUEST_BYTES = 64 * MIB

/** Beside those of `KILL_CONFIG`. */
export const PERF = 'perf'
export const PATTERNS = 'patterns'
export const PINGS = 'pings'
export const RESTS = 'rests'

/** Of a leased LUN and of an anonymous one: blank. */
export const SMALL_DISK: KillDisk = {
  sectors: 4096,
  baseSectors: 0,
  thin: true,
  windows: [{ first: 0, count: 4096 }],
  weights: THIN_WEIGHTS,
}

export interface Stage {
  readonly server: RestartedServer
  readonly dataDir: string
  readonly configFile: string
  readonly tenant: Tenant
  /** Of one LUN and of two, each of `SMALL_DISK`. */
  readonly leases: readonly [LeaseAnswer, LeaseAnswer]
  /** A leased disk for a Linux guest. */
  readonly guestDisk: LeaseAnswer
}

/** Starts the server below `scratch` and leases the disks. */
export async function setUp(scratch: string): Promise<Stage> {
  const dataDir = join(scratch, 'data')
  const catalog = join(dataDir, 'catalog')
  mkdirSync(catalog, { recursive: true })
  writeFileSync(join(catalog, 'base.img'), imageContent())
  writeFileSync(join(catalog, 'base.json'), JSON.stringify({ name: 'base', title: 'Base', file: 'base.img' }))
  const disk = { sizeBytes: SMALL_DISK.sectors * SECTOR_BYTES }
  const configFile = join(scratch, 'config.json')
  const config = {
    ...KILL_CONFIG,
    dataDir,
    workers: WORKERS,
    listen: { iscsi: '127.0.0.1:0', http: '127.0.0.1:0' },
    free: { blankBytes: disk.sizeBytes },
    targets: [
      ...KILL_CONFIG.targets,
      { name: PERF, auth: 'none', luns: [{ sizeBytes: 64 * MIB }] },
      { name: PATTERNS, auth: 'none', luns: [{ sizeBytes: 4 * MIB }] },
      { name: PINGS, auth: 'none', luns: [disk] },
      { name: RESTS, auth: 'none', luns: [disk] },
    ],
  }
  writeFileSync(configFile, JSON.stringify(config))
  const server = new RestartedServer({ configFile, adminToken: ADMIN_TOKEN })
  try {
    await server.logged('server.ready')
    const tenant = await Tenant.make(server.api)
    const lease = (name: string, luns: number, sizeBytes = disk.sizeBytes) =>
      tenant.ask<LeaseAnswer>(server.api, 'POST /api/sessions', 201, {
        name,
        luns: Array.from({ length: luns }, () => ({ size_bytes: sizeBytes })),
      })
    const leases = [await lease('one', 1), await lease('two', 2)] as const
    return { server, dataDir, configFile, tenant, leases, guestDisk: await lease('guest', 1, GUEST_BYTES) }
  } catch (error) {
    await server.kill()
    throw error
  }
}
