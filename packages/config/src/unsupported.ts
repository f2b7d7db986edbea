/**
 * Keys that belong to the configuration but that this version does not serve. One file may serve several versions, so what merely is
 * not there (TLS) is left out with a warning: nothing answers where it should, which is seen at once.
 */

const SECTIONS: readonly (readonly [section: string, key: string | undefined])[] = [['listen', 'tls']]

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

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
