/** How quickly the storage engine answers: the one question that tells whether it is well. */
import type { Engine } from './engine.js'
import { settledWithin } from './settled-within.js'

/** It answers within milliseconds, unless something is badly wrong with it. */
const ENGINE_MS = 2_000
const MS_PER_SECOND = 1e3

/** Seconds until the answer; undefined when there is none in time. */
export async function pingEngine(engine: Pick<Engine, 'ask'>): Promise<number | undefined> {
  const began = performance.now()
  const answered = await settledWithin(engine.ask({ kind: 'engine.ping' }), ENGINE_MS).catch(() => false)
  return answered ? (performance.now() - began) / MS_PER_SECOND : undefined
}
