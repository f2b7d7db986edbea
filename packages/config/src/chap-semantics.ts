/**
 * Secrets of CHAP must not serve in both directions [7143 §9.2.1]: who could make the target answer a challenge of his choice would
 * have the answer to the target's own. So what any target proves itself with is what no initiator proves itself with.
 *
 * Called with a file of any shape; what is misshapen is skipped. A secret is never shown.
 */
import type { Fault } from './faults.js'

interface Place {
  readonly path: string
  readonly secret: string
}

/** A fault for each secret of a target that some initiator has as well. */
export function chapFaults(file: unknown): Fault[] {
  const places = demands(file)
  const ofInitiators = places.flatMap(({ path, chap }) => secretOf(path, chap))
  const ofTargets = places.flatMap(({ path, chap }) => secretOf(`${path}.mutual`, at(chap, 'mutual')))
  return ofTargets.flatMap(({ path, secret }) => {
    const twin = ofInitiators.find(other => other.secret === secret)
    if (!twin) return []
    return [{ path, text: `is the same as ${twin.path}; a secret must not serve in both directions [7143 §9.2.1]` }]
  })
}

/** Every demand for CHAP, and where it stands. */
function demands(file: unknown): { path: string; chap: unknown }[] {
  const targets = at(file, 'targets')
  const ofTargets = Array.isArray(targets)
    ? targets.map((target: unknown, index) => ({ path: `targets[${index}].auth.chap`, chap: chapOf(target) }))
    : []
  return [...ofTargets, { path: 'discovery.auth.chap', chap: chapOf(at(file, 'discovery')) }]
}

function chapOf(owner: unknown): unknown {
  return at(at(owner, 'auth'), 'chap')
}

function secretOf(path: string, identity: unknown): Place[] {
  const secret = at(identity, 'secret')
  return typeof secret === 'string' ? [{ path: `${path}.secret`, secret }] : []
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
}
