/** How quickly the storage engine answers: the one question that tells whether it is well. */
import { setTimeout } from 'node:timers/promises'
import type { Engine } from './engine.js'

/** It answers within milliseconds, unless something is badly wrong with it. */
const ENGINE_MS = 2_000
const MS_PER_SECOND = 1e3

/** Seconds until the answer; undefined when there is none in time. */
export async function pingEngine(engine: Pick<Engine, 'ask'>): Promise<number | undefined> {
  const late = new AbortController()
  const began = performance.now()
  const timeout = setTimeout(ENGINE_MS, undefined, { signal: late.signal }).catch(() => undefined)
  const pong = engine.ask({ kind: 'engine.ping' }).then(
    () => (performance.now() - began) / MS_PER_SECOND,
    () => undefined,
  )
  const seconds = await Promise.race([pong, timeout])
  late.abort()
  return seconds
}
