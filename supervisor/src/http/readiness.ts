/** Whether logins of all kinds can succeed: the state store, the storage engine, the session workers. */
import { setTimeout } from 'node:timers/promises'
import type { Engine } from '../engine.js'
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
}

/** The engine answers within milliseconds, unless something is badly wrong with it. */
const ENGINE_MS = 2_000

export function readinessOf({ stateFault, engine, pool, workers }: ReadinessParts): Readiness {
  return async () => {
    const wrong: ProblemItem[] = []
    const state = stateFault()
    if (state !== undefined) wrong.push({ path: 'state', detail: state })
    if (pool.usableWorkers < workers)
      wrong.push({ path: 'workers', detail: `${pool.usableWorkers} of ${workers} session workers are up` })
    if (!(await answers(engine))) wrong.push({ path: 'engine', detail: 'the storage engine does not answer' })
    return wrong
  }
}

async function answers(engine: Pick<Engine, 'ask'>): Promise<boolean> {
  const late = new AbortController()
  const timeout = setTimeout(ENGINE_MS, false, { signal: late.signal }).catch(() => false)
  const pong = engine.ask({ kind: 'engine.ping' }).then(
    () => true,
    () => false,
  )
  const answered = await Promise.race([pong, timeout])
  late.abort()
  return answered
}
