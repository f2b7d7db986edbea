// What all actions have in common: who they are done to, and how often.

import assert from 'node:assert/strict'
import type { Dice } from '../../chaos/dice.js'
import type { Breaks } from './breaks.js'
import type { OperatorAnswer, RestartedServer } from './restarted-server.js'

export interface Scene {
  readonly server: RestartedServer
  readonly configFile: string
  readonly dice: Dice
  readonly breaks: Breaks
  /** Session workers. */
  readonly workers: number
}

export interface Action {
  readonly name: string
  /** At least so long from one to the next of its kind: what ends too often ends the server, as it should. */
  readonly restMs?: number
  /** Connections may end by it. */
  readonly breaks?: boolean
  /** What it came to, in words. @throws AssertionError when that is not what it has to come to */
  run(scene: Scene): Promise<string>
}

export const ENGINE_REST_MS = 20_000
/** A session that is busy in each of three dead workers within a minute is taken for the cause. */
export const WORKER_REST_MS = 31_000

export function restart(server: RestartedServer, worker?: number): Promise<OperatorAnswer> {
  return server.operator('POST /workers/restart', worker === undefined ? undefined : { worker })
}

/** In words. @throws AssertionError when it was not done, or a session was dropped where none may be */
export function restarted({ status, body }: OperatorAnswer, { mayDrop = false } = {}): string {
  assert.equal(status, 200, JSON.stringify(body))
  if (!mayDrop) assert.equal(body.dropped, 0, JSON.stringify(body))
  const { median, p99, max } = body.pauseMs as Record<string, number>
  return `${body.moved} sessions moved, pauses of ${median} ms, p99 ${p99}, at most ${max}`
}
