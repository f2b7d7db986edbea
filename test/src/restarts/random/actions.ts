// What an operator does to a server at random, and what befalls it: the list is the table of failures, and grows with it [DESIGN §4]. Each says what has to come of it.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { type Action, ENGINE_REST_MS, restart, restarted, type Scene, WORKER_REST_MS } from './action.js'
import { AT_ONCE } from './at-once.js'
import { endEngine, endWorker, FAULTS } from './thread-ends.js'

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
  {
    name: 'an upgrade to a configuration that cannot be served',
    run: async ({ server, configFile }) => {
      const [right, before] = [readFileSync(configFile), server.pid]
      writeFileSync(configFile, '{ "workers": "many" }')
      const { status, body } = await server.operator('POST /upgrade')
      writeFileSync(configFile, right)
      assert.deepEqual([status, body.code, server.pid], [409, 'upgrade-failed', before], JSON.stringify(body))
      return String(body.detail)
    },
  },
  ...FAULTS.map(fault => ({
    name: `the storage engine ends: ${fault}`,
    restMs: ENGINE_REST_MS,
    run: ({ server }: Scene) => endEngine(server, fault),
  })),
  ...FAULTS.map(fault => ({
    name: `a session worker ends: ${fault}`,
    restMs: WORKER_REST_MS,
    breaks: true,
    run: (scene: Scene) => endWorker(scene, fault),
  })),
  ...AT_ONCE,
]
