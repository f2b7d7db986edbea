/**
 * `SCSIPUB_<PATH>` overrides a key: the path in upper case, its parts joined by `_`. A variable that starts so but names
 * no key is a fault, since a misspelt override would be obeyed by nobody. `targets` and `discovery.auth` are given as JSON.
 */
import type { Fault } from './faults.js'

const PREFIX = 'SCSIPUB_'
/** What the command `scsipub` reads: may stand in the same environment. */
const OF_THE_COMMAND = new Set(['SCSIPUB_SERVER', 'SCSIPUB_KEY'])

type Kind = 'text' | 'number' | 'boolean' | 'json'
const KEYS: Readonly<Record<string, Kind>> = {
  dataDir: 'text',
  iqnPrefix: 'text',
  workers: 'number',
  'listen.iscsi': 'text',
  'listen.http': 'text',
  'listen.tls': 'json',
  'advertise.iscsi': 'text',
  'state.url': 'text',
  'state.replicas': 'number',
  'admin.token': 'text',
  'free.blankBytes': 'number',
  'free.quotaBytes': 'number',
  'free.maxSessions': 'number',
  'free.maxSessionsPerAddress': 'number',
  'free.capLoopback': 'boolean',
  tiers: 'json',
  targets: 'json',
  'discovery.auth': 'json',
  'restarts.memoryBytes': 'number',
  'restarts.everyHours': 'number',
  'restarts.at': 'text',
  'log.level': 'text',
}

/** The name of the variable that overrides `path`. */
function variableOf(path: string): string {
  return PREFIX + path.replaceAll('.', '_').toUpperCase()
}

const PATH_OF = new Map(Object.keys(KEYS).map(path => [variableOf(path), path]))

/** Lays the overrides of `env` over `file` (which it changes) and returns what cannot be understood. */
export function applyEnvironment(file: unknown, env: NodeJS.ProcessEnv): Fault[] {
  const faults: Fault[] = []
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || OF_THE_COMMAND.has(variable) || text === undefined) continue
    const path = PATH_OF.get(variable)
    if (path === undefined) {
      const known = [...PATH_OF.keys()].join(', ')
      faults.push({ path: variable, text: `(environment) overrides no key; unset it or use one of: ${known}` })
      continue
    }
    const value = parse(KEYS[path] ?? 'text', text)
    if (value === undefined)
      faults.push({ path: variable, text: `(environment) must be ${KEYS[path]}${shown(KEYS[path], text)}` })
    else set(file, path.split('.'), value)
  }
  return faults
}

/** What is wrong, to be shown; JSON is not, there may be secrets in it. */
function shown(kind: Kind | undefined, text: string): string {
  return kind === 'json' ? '' : `; it is "${text}"`
}

/** The value that the text stands for; undefined when it stands for none. */
function parse(kind: Kind, text: string): unknown {
  if (kind === 'text') return text
  if (kind === 'number') return /^-?[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : undefined
  if (kind === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function set(tree: unknown, path: readonly string[], value: unknown): void {
  if (typeof tree !== 'object' || tree === null) return // not an object at all: the schema says so
  const [key, ...rest] = path as [string, ...string[]]
  const node = tree as Record<string, unknown>
  if (rest.length === 0) node[key] = value
  else {
    node[key] ??= {}
    set(node[key], rest, value)
  }
}
