/**
 * What sessions have beside what is in their workers, taken in by the new process after *go*: who is attached to which lease, and what was proved.
 *
 * By now sessions may have ended that the estate has: those of which the old process had not told everybody yet when it came to rest, and those whose initiators went away
 * since. Nothing may stay theirs.
 */
import type { Access } from '../access.js'
import type { Leases } from '../leases/leases.js'
import type { SessionHost } from '../session-host.js'
import type { Estate } from './estate.js'

export interface TakenBelongingsParts {
  readonly leases: Pick<Leases, 'start' | 'detach'>
  readonly access: Pick<Access, 'import' | 'forget'>
  readonly host: Pick<SessionHost, 'isLive' | 'get'>
}

/** Resolves when the leases are there, or known to come later. Rejects as `Leases.start` does. */
export async function takeBelongings(
  { attached, proofs }: Pick<Estate, 'attached' | 'proofs'>,
  { leases, access, host }: TakenBelongingsParts,
): Promise<void> {
  await leases.start(attached)
  for (const [sessionId] of attached) if (!host.isLive(sessionId)) void leases.detach(sessionId)
  access.import(proofs)
  for (const { connectionId } of proofs.trials) if (!host.get(connectionId)) access.forget(connectionId)
}
