// Sessions of several connections, for the suites that are about them. No initiator of Debian opens more than one (open-iscsi and
// libiscsi do not), so it is our own that does.

import { Initiator, type LoginOptions } from '@scsipub/testkit'
import type { Server } from '../harness/server.js'
import { BLANK, portal } from './lab.js'

/** A session with `count` connections, whose IDs are 1, 2, … */
export async function connected(server: Server, count: number, options: LoginOptions = {}): Promise<Initiator[]> {
  const keys = { MaxConnections: '4', ...options.keys }
  const first = await Initiator.login(portal(server), { target: BLANK, cid: 1, ...options, keys })
  const all = [first]
  for (let cid = 2; cid <= count; cid++) all.push(await first.addConnection(portal(server), { cid }))
  return all
}

/** As `connected`, for the time of `use`. */
export async function withConnections(
  server: Server,
  count: number,
  use: (...connections: [Initiator, Initiator, Initiator, Initiator]) => Promise<void>,
  options: LoginOptions = {},
): Promise<void> {
  const all = await connected(server, count, options)
  try {
    await use(...(all as [Initiator, Initiator, Initiator, Initiator]))
  } finally {
    await Promise.all(all.map(connection => connection.close()))
  }
}
