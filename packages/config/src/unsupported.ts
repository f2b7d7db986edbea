/**
 * Keys that belong to the configuration but that this version does not serve. They are refused, not ignored: a target
 * that asked for CHAP must never be served openly, nor a server run without the TLS that its operator believes in.
 */
import type { Fault } from './faults.js'

const SECTIONS: readonly (readonly [section: string, key: string | undefined])[] = [
  ['listen', 'tls'],
  ['listen', 'http'],
  ['state', undefined],
  ['admin', undefined],
]
const TEXT = 'is not supported by this version; remove it'

type Tree = Record<string, unknown>

/** Takes the keys that are not supported out of `file` (which it changes) and returns a fault for each. */
export function takeUnsupported(file: unknown): Fault[] {
  const faults: Fault[] = []
  if (!isTree(file)) return faults
  for (const [section, key] of SECTIONS) {
    const owner = key === undefined ? file : file[section]
    const leaf = key ?? section
    if (!isTree(owner) || !(leaf in owner)) continue
    delete owner[leaf]
    faults.push({ path: key === undefined ? section : `${section}.${key}`, text: TEXT })
  }
  const targets = Array.isArray(file['targets']) ? (file['targets'] as unknown[]) : []
  targets.forEach((target, index) => {
    if (!isTree(target) || !isTree(target['auth']) || !('chap' in target['auth'])) return
    target['auth'] = 'none' // only so that the rest of the target is checked too; the fault refuses the start
    faults.push({ path: `targets[${index}].auth.chap`, text: `${TEXT}, or set "auth": "none" if everybody may log in` })
  })
  return faults
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
