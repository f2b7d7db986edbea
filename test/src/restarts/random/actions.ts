// What an operator does to a server at random, and what befalls it: the list is the table of failures, and grows with it [DESIGN §4]. Each says what has to come of it.

import assert from 'node:assert/strict'
import type { Dice } from '../../chaos/dice.js'
import type { Breaks } from './breaks.js'
import type { ThreadFault } from './fault-order.js'
import type { OperatorAnswer, RestartedServer } from './restarted-server.js'

export interface Scene {
  readonly server: RestartedServer
  readonly dice: Dice
  readonly breaks: Breaks
  /** Session workers. */
  readonly workers: number
}

export interface Action {
  readonly name: string
  /** At least so long from one to the next of its kind: what ends too often ends the server, as it should. */
  readonly restMs?: number
  /** What it came to, in words. @throws AssertionError when that is not what it has to come to */
  run(scene: Scene): Promise<string>
}

const ENGINE_REST_MS = 20_000

export const ACTIONS: readonly Action[] = [
  { name: 'all workers are restarted', run: async ({ server }) => restarted(await restart(server)) },
  {
    name: 'one worker is restarted',
    run: async ({ server, dice, workers }) => restarted(await restart(server, dice.below(workers))),
  },
  {
    name: 'workers are restarted twice at the same time',
    run: async ({ server, dice, workers }) => {
      const answers = await Promise.all([restart(server), restart(server, dice.below(workers)), restart(server)])
      const [refused, done] = [
        answers.filter(({ status }) => status === 409),
        answers.filter(({ status }) => status === 200),
      ]
      assert.equal(refused.length, 2, `one of three is done: ${JSON.stringify(answers)}`)
      for (const { body } of refused) assert.equal(body.code, 'restart-running')
      return restarted(done[0]!)
    },
  },
  {
    name: 'a worker that does not exist is restarted',
    run: async ({ server }) => {
      const { status, body } = await restart(server, 99)
      assert.deepEqual([status, body.code], [404, 'worker-unknown'])
      return String(body.detail)
    },
  },
  {
    name: 'nonsense is asked for',
    run: async ({ server }) => {
      for (const body of [{ worker: -1 }, { worker: '0' }, { worker: 0.5 }, { all: true }, [0]]) {
        const answer = await server.operator('POST /workers/restart', body)
        assert.deepEqual([answer.status, answer.body.code], [400, 'invalid-request'], JSON.stringify(body))
      }
      return 'refused'
    },
  },
  {
    name: 'the catalog is read again',
    run: async ({ server }) => {
      const before = server.count('catalog.reloaded')
      server.signal('SIGHUP')
      await server.logged('catalog.reloaded', before + 1)
      return 'done'
    },
  },
  {
    name: 'the server is upgraded',
    run: async ({ server }) => {
      const before = server.pid
      server.signal('SIGUSR2')
      await server.logged('server.ready', server.count('server.ready') + 1)
      assert.notEqual(server.pid, before, 'another process serves')
      return `process ${server.pid} in place of ${before}`
    },
  },
  ...(['throw', 'spin', 'heap'] as const).map(fault => ({
    name: `the storage engine ends: ${fault}`,
    restMs: ENGINE_REST_MS,
    run: ({ server }: Scene) => endEngine(server, fault),
  })),
]

function restart(server: RestartedServer, worker?: number): Promise<OperatorAnswer> {
  return server.operator('POST /workers/restart', worker === undefined ? undefined : { worker })
}

function restarted({ status, body }: OperatorAnswer): string {
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal(body.dropped, 0, JSON.stringify(body))
  const { median, p99, max } = body.pauseMs as Record<string, number>
  return `${body.moved} sessions moved, pauses of ${median} ms, p99 ${p99}, at most ${max}`
}

async function endEngine(server: RestartedServer, fault: ThreadFault): Promise<string> {
  const died = server.count('engine.died')
  const back = server.count('engine.restarted')
  const { threadId } = await server.order({ kind: 'end', role: 'storage-engine', index: 0, fault })
  assert.notEqual(threadId, undefined, 'there is a storage engine')
  await server.logged('engine.died', died + 1)
  await server.logged('engine.restarted', back + 1)
  const { ms } = server.log.findLast(({ event }) => event === 'engine.restarted')!
  return `another one was there after ${Math.round(Number(ms))} ms`
}
