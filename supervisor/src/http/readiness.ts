/** Whether logins of all kinds can succeed: the state store, the storage engine, the session workers. */
import type { Engine } from '../engine.js'
import { pingEngine } from '../engine-ping.js'
import type { SessionPool } from '../pool.js'
import type { Readiness } from './health.js'
import type { ProblemItem } from './problem.js'

export interface ReadinessParts {
  /** What is wrong with the state store, in words. */
  readonly stateFault: () => string | undefined
  readonly engine: Pick<Engine, 'ask'>
  readonly pool: Pick<SessionPool, 'usableWorkers'>
  /** Workers that there should be. */
  readonly workers: number
  /** The server is about to stop. */
  readonly draining: () => boolean
}

export function readinessOf({ stateFault, engine, pool, workers, draining }: ReadinessParts): Readiness {
  return async () => {
    const wrong: ProblemItem[] = []
    if (draining()) wrong.push({ path: 'draining', detail: 'the server is about to stop' })
    const state = stateFault()
    if (state !== undefined) wrong.push({ path: 'state', detail: state })
    if (pool.usableWorkers < workers)
      wrong.push({ path: 'workers', detail: `${pool.usableWorkers} of ${workers} session workers are up` })
    if ((await pingEngine(engine)) === undefined)
      wrong.push({ path: 'engine', detail: 'the storage engine does not answer' })
    return wrong
  }
}
