/**
 * Keys that belong to the configuration but that this version does not serve. One file may serve several versions, so what merely is
 * not there (HTTP, TLS, a state store) is left out with a warning: nothing answers where it should, which is seen at once. What
 * would be less safe than it was meant is refused: a target that asked for CHAP must never be served openly.
 */
import type { Fault } from './faults.js'

const SECTIONS: readonly (readonly [section: string, key: string | undefined])[] = [
  ['listen', 'tls'],
  ['listen', 'http'],
  ['state', undefined],
  ['admin', undefined],
]

type Tree = Record<string, unknown>

/** Takes keys that are not served out of `file` (which it changes) and returns their paths. */
export function takeUnserved(file: unknown): string[] {
  if (!isTree(file)) return []
  return SECTIONS.flatMap(([section, key]) => {
    const owner = key === undefined ? file : file[section]
    const leaf = key ?? section
    if (!isTree(owner) || !(leaf in owner)) return []
    delete owner[leaf]
    return [key === undefined ? section : `${section}.${key}`]
  })
}

/** Takes demands for CHAP out of `file` (which it changes) and returns a fault for each. */
export function takeChap(file: unknown): Fault[] {
  if (!isTree(file) || !Array.isArray(file['targets'])) return []
  return file['targets'].flatMap((target: unknown, index) => {
    if (!isTree(target) || !isTree(target['auth']) || !('chap' in target['auth'])) return []
    target['auth'] = 'none' // only so that the rest of the target is checked too; the fault refuses the start
    const text = 'is not supported by this version; remove the target, or set "auth": "none" if everybody may log in'
    return [{ path: `targets[${index}].auth.chap`, text }]
  })
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
