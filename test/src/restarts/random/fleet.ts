// The loads of a run: sessions of every shape that the server knows, on disks of every kind.

import { Initiator, type LoginOptions } from '@scsipub/testkit'
import type { Dice } from '../../chaos/dice.js'
import { KILL_DISKS, TARGET } from '../../chaos/kill/kill-disks.js'
import type { LeaseAnswer } from '../../chaos/kill/tenant.js'
import type { LiveGuest } from '../../harness/live-guest.js'
import { iqn } from '../../harness/server.js'
import { Starvation } from '../../harness/starvation.js'
import { BLANK } from '../../protocol/lab.js'
import type { Breaks } from './breaks.js'
import { ChurnLane } from './churn-lane.js'
import type { Echo } from './echo.js'
import { FenceLane } from './fence-lane.js'
import { GuestLane } from './guest-lane.js'
import type { Lane } from './lane.js'
import { LeaseLane } from './lease-lane.js'
import { LedgerLane } from './ledger-lane.js'
import { PingLane } from './ping-lane.js'
import { RestLane } from './rest-lane.js'
import { PATTERNS, PERF, PINGS, RESTS, SMALL_DISK, type Stage } from './stage.js'
import { PerfLane, QemuLane } from './stock-lanes.js'

const DIGESTS = { HeaderDigest: 'CRC32C', DataDigest: 'CRC32C' }
/** Everything is asked for, in small pieces. */
const SOLICITED = { InitialR2T: 'Yes', ImmediateData: 'No', MaxBurstLength: '65536', MaxRecvDataSegmentLength: '8192' }

/** Sessions at rest: enough of them for some to be in whichever worker dies. */
const RESTING = 9

export interface FleetOptions {
  readonly stage: Stage
  readonly breaks: Breaks
  readonly dice: Dice
  readonly echo: Echo
  /** What is being done to the server. */
  readonly doing: () => string
  readonly guest?: LiveGuest | undefined
  /** Connections may end in this run. */
  readonly mayBreak: boolean
}

export interface Fleet {
  readonly lanes: readonly Lane[]
  readonly pings: PingLane
}

export function fleetOf({ stage, breaks, dice, echo, doing, guest, mayBreak }: FleetOptions): Fleet {
  const { server, tenant, leases, guestDisk: disk } = stage
  const address = { host: '127.0.0.1', port: server.port }
  const url = (name: string) => `iscsi://127.0.0.1:${server.port}/${iqn(name)}/0`
  let port = 0
  /** A session of so many connections, under the same name and ISID each time. */
  const session = (name: string, options: LoginOptions, connections: number) => {
    const named = { initiatorName: `iqn.2025-01.test:${name.replaceAll(' ', '-')}`, isid: isidOf(++port), ...options }
    const { keys } = options
    return async () => {
      const first = await Initiator.login(address, named)
      const further: Initiator[] = []
      for (let cid = 1; cid < connections; cid++)
        further.push(await first.addConnection(address, { cid, ...(keys?.HeaderDigest && { keys: DIGESTS }) }))
      return [first, ...further]
    }
  }
  const lane = (
    name: string,
    options: LoginOptions,
    { disks = [SMALL_DISK], connections = 1, passing = false } = {},
  ) => {
    const login = session(name, options, connections)
    return new LedgerLane({ name, disks, passing, login, breaks, dice: dice.fork() })
  }
  const resting = Array.from({ length: RESTING }, (_, index) => {
    const passing = index % 3 === 2
    const connections = index % 3 === 1 ? 2 : 1
    const keys = { MaxConnections: '2', ...(index % 2 === 1 && DIGESTS) }
    const name = `at rest ${index}`
    const login = session(name, { target: passing ? BLANK : iqn(RESTS), keys }, connections)
    return { name, lba: 64 * index, login, passing }
  })
  const starvation = new Starvation(() => [process.pid, server.pid])
  const pings = new PingLane({ address, target: iqn(PINGS), breaks, echo, starvation, doing })
  const lanes = [
    lane(
      'four connections with digests',
      { target: iqn(TARGET), keys: { ...DIGESTS, MaxConnections: '4' } },
      { disks: [...KILL_DISKS], connections: 4 },
    ),
    lane('lease with CHAP and digests', { ...ofLease(leases[0]), keys: DIGESTS }),
    lane(
      'lease with CHAP, two connections, solicited',
      { ...ofLease(leases[1]), keys: { ...SOLICITED, MaxConnections: '2' } },
      { disks: [SMALL_DISK, SMALL_DISK], connections: 2 },
    ),
    lane('anonymous', { target: BLANK }, { passing: true }),
    lane('anonymous, solicited', { target: BLANK, keys: SOLICITED }, { passing: true }),
    new FenceLane({ address, target: iqn(TARGET), breaks, dice: dice.fork() }),
    new PerfLane({ url: url(PERF), breaks }),
    new QemuLane({ url: url(PATTERNS), breaks, dice: dice.fork() }),
    new ChurnLane({ address, breaks }),
    new LeaseLane({ address, tenant, api: server.api, breaks }),
    new RestLane({ sessions: resting, breaks, dice: dice.fork() }),
    ...(guest ? [new GuestLane({ guest, port: server.port, disk, breaks, mayBreak })] : []),
    pings,
  ]
  return { lanes, pings }
}

function ofLease({ iqn: target, chap_user: user, chap_secret: secret }: LeaseAnswer): LoginOptions {
  return { target, chap: { user, secret } }
}

function isidOf(port: number): Buffer {
  return Buffer.from([0, 2, 0x3d, 1, 0, port])
}
