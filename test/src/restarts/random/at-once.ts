// Things that are done, or happen, at the same time: whichever comes first, each of them has an answer, and the sessions go on.

import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { type Action, ENGINE_REST_MS, restart, restarted, WORKER_REST_MS } from './action.js'
import type { OperatorAnswer, RestartedServer } from './restarted-server.js'
import { endEngine, endWorker } from './thread-ends.js'

/** A new process takes so long to be ready on a busy machine, so that anything may come before and after. */
const UPGRADE_MS = 3_000
const RESTART_MS = 600

export const AT_ONCE: readonly Action[] = [
  {
    name: 'the storage engine ends while workers are restarted',
    restMs: ENGINE_REST_MS,
    run: async ({ server, dice }) => {
      const restarting = restart(server)
      await setTimeout(dice.below(RESTART_MS))
      const ended = await endEngine(server, dice.pick(['throw', 'heap']))
      return `${restarted(await restarting)}; ${ended}`
    },
  },
  {
    name: 'an upgrade is asked for while workers are restarted',
    run: async ({ server, dice }) => {
      const restarting = restart(server)
      await setTimeout(dice.below(RESTART_MS))
      const upgraded = await upgrade(server)
      return `${restarted(await restarting)}; ${upgradedOr(upgraded, /being restarted/)}`
    },
  },
  {
    name: 'two upgrades are asked for at the same time',
    run: async ({ server }) => {
      const answers = await Promise.all([upgrade(server), upgrade(server)])
      const refused = answers.filter(({ status }) => status === 409)
      assert.equal(refused.length, 1, JSON.stringify(answers))
      assert.equal(refused[0]!.body.code, 'busy')
      return upgradedOr(answers.find(({ status }) => status !== 409)!)
    },
  },
  {
    name: 'workers are restarted while the server is upgraded',
    run: async ({ server, dice }) => {
      const upgrading = upgrade(server)
      await setTimeout(dice.below(UPGRADE_MS))
      const answer = await restart(server)
      const refused = answer.status !== 200
      // The one that is about to leave begins nothing any more.
      if (refused) assert.match(JSON.stringify(answer.body), /about to stop|upgrade/)
      return `${upgradedOr(await upgrading, /being restarted/)}; ${refused ? String(answer.body.detail) : restarted(answer)}`
    },
  },
  {
    name: 'the storage engine ends while the server is upgraded',
    restMs: ENGINE_REST_MS,
    run: async ({ server, dice }) => {
      const upgrading = upgrade(server)
      await setTimeout(dice.below(UPGRADE_MS))
      const order = server.order({ kind: 'end', role: 'storage-engine', index: 0, fault: dice.pick(['throw', 'heap']) })
      const { threadId } = await order.catch(() => ({ threadId: undefined })) // that process has just gone
      const answer = await upgrading
      await server.operator('GET /workers')
      return `${upgradedOr(answer, /engine/)}; ${threadId === undefined ? 'there was none' : `it was thread ${threadId}`}`
    },
  },
  {
    name: 'a session worker ends while workers are restarted',
    restMs: WORKER_REST_MS,
    breaks: true,
    run: async scene => {
      const { server, dice } = scene
      const restarting = setTimeout(SILENCE_MS + dice.below(RESTART_MS)).then(() => restart(server))
      const ended = await endWorker(scene, dice.pick(['throw', 'heap']), { harsh: true })
      return `${restarted(await restarting, { mayDrop: true })}; ${ended}`
    },
  },
  {
    name: 'a session worker ends while the server is upgraded',
    restMs: WORKER_REST_MS,
    breaks: true,
    run: async scene => {
      const { server, dice } = scene
      const upgrading = setTimeout(dice.below(SILENCE_MS)).then(() => upgrade(server))
      const ended = await endWorker(scene, 'throw', { harsh: true })
      return `${upgradedOr(await upgrading, /worker|session/)}; ${ended}`
    },
  },
]

/** Sessions are silent for so long before a worker ends. */
const SILENCE_MS = 1_500

/** The answer, once whoever serves then is known. */
async function upgrade(server: RestartedServer): Promise<OperatorAnswer> {
  const answer = await server.operator('POST /upgrade')
  if (answer.status === 200) await server.servedBy(Number(answer.body.to.pid))
  return answer
}

/** In words. @throws AssertionError when it has failed, unless for that reason */
function upgradedOr({ status, body }: OperatorAnswer, reason?: RegExp): string {
  if (status === 200) return `upgraded, ${body.moved} sessions stood still for ${body.pause_ms} ms`
  assert.deepEqual([status, body.code], [409, 'upgrade-failed'], JSON.stringify(body))
  assert.ok(reason?.test(String(body.detail)), JSON.stringify(body))
  return `not upgraded: ${body.detail}`
}
