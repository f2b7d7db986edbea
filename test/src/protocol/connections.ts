// Sessions of several connections, for the suites that are about them. No initiator of Debian opens more than one (open-iscsi and
// libiscsi do not), so it is our own that does.

import { Opcode } from '@scsipub/iscsi'
import { Initiator, type LoginOptions, LoginRefused, type ReceivedPdu } from '@scsipub/testkit'
import type { Server } from '../harness/server.js'
import { BLANK, portal } from './lab.js'

/** A session with `count` connections, whose IDs are 1, 2, … */
export async function connected(
  server: Pick<Server, 'port'>,
  count: number,
  options: LoginOptions = {},
): Promise<Initiator[]> {
  const keys = { MaxConnections: '4', ...options.keys }
  const first = await Initiator.login(portal(server), { target: BLANK, cid: 1, ...options, keys })
  const all = [first]
  for (let cid = 2; cid <= count; cid++) all.push(await first.addConnection(portal(server), { cid }))
  return all
}

/** As `connected`, for the time of `use`. */
export async function withConnections(
  server: Pick<Server, 'port'>,
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

/** Status of a login that is refused; 0 when it is not. */
export async function statusOf(login: Promise<Initiator>): Promise<number> {
  try {
    await login
    return 0
  } catch (error) {
    if (error instanceof LoginRefused) return error.status
    throw error
  }
}

/** Whether a ping is echoed. */
export async function alive(initiator: Initiator): Promise<boolean> {
  return (await initiator.ping(Buffer.from('alive'))).data.toString() === 'alive'
}

/** The next R2T for a task. */
export function r2tFor(initiator: Initiator, tag: number): Promise<ReceivedPdu> {
  return initiator.wire.inbox.take({
    what: 'R2T',
    matches: pdu => pdu.opcode === Opcode.r2t && pdu.initiatorTaskTag === tag,
  })
}

/** Whether anything has come for a task that nobody has taken. */
export function answered(initiator: Initiator, tag: number): boolean {
  return initiator.wire.inbox.unread.some(pdu => pdu.initiatorTaskTag === tag)
}
