/** Waiting with a limit. */
import { setTimeout } from 'node:timers/promises'

/** Whether `what` is fulfilled within that time; what it comes to later is the caller's no more. Rejects as `what` does. */
export async function settledWithin(what: Promise<unknown>, ms: number): Promise<boolean> {
  const over = new AbortController()
  const late = setTimeout(ms, false, { signal: over.signal }).catch(() => false)
  try {
    return await Promise.race([what.then(() => true), late])
  } finally {
    over.abort()
  }
}
