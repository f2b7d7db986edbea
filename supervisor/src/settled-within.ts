/** Waiting with a limit. */
import { setImmediate, setTimeout } from 'node:timers/promises'

/**
 * Whether `what` is fulfilled within that time; what it comes to later is the caller's no more. This thread may have been late itself: what has
 * happened by then, and waits to be heard, counts. Rejects as `what` does.
 */
export async function settledWithin(what: Promise<unknown>, ms: number): Promise<boolean> {
  const over = new AbortController()
  const { signal } = over
  const late = setTimeout(ms, undefined, { signal })
    .then(() => setImmediate(false, { signal }))
    .catch(() => false)
  try {
    return await Promise.race([what.then(() => true), late])
  } finally {
    over.abort()
  }
}
