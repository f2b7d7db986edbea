/**
 * Loads the configuration: file, then environment, then defaults; all faults in one error; the result frozen.
 *
 * Left out: watching the file. A running server keeps what it was started with.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Address, parseAddress } from './address.js'
import { type Config, type ConfigFile, defaults, type TargetConfig } from './config.js'
import { applyEnvironment } from './environment.js'
import { ConfigError, type Fault, shapeFaults } from './faults.js'
import { jsonFault } from './json-fault.js'
import { semanticFaults } from './semantics.js'
import { takeUnserved } from './unsupported.js'

/**
 * Reads `path` (none: no file) and `env`. A relative `dataDir` is relative to the file's folder, or to the current one
 * when there is no file or the environment gives it. Throws `ConfigError` with every fault.
 */
export function loadConfig({ path, env = {} }: { path?: string; env?: NodeJS.ProcessEnv } = {}): Config {
  const source = path ?? 'configuration'
  const file = path === undefined ? {} : readJson(path)
  const fromEnvironment = applyEnvironment(file, env)
  const unserved = takeUnserved(file)
  const faults = [...fromEnvironment, ...withoutRepeats(shapeFaults(file), semanticFaults(file))]
  if (faults.length > 0) throw new ConfigError(source, faults)
  const base = path === undefined || env['SCSIPUB_DATADIR'] !== undefined ? process.cwd() : dirname(resolve(path))
  return deepFreeze({ ...complete(file as ConfigFile, base), unserved })
}

/** A value that the schema refuses has its one fault already. */
function withoutRepeats(shape: Fault[], meaning: Fault[]): Fault[] {
  const paths = new Set(shape.map(fault => fault.path))
  return [...shape, ...meaning.filter(fault => !paths.has(fault.path))]
}

function complete(file: ConfigFile, base: string): Omit<Config, 'unserved'> {
  const advertise = file.advertise?.iscsi
  return {
    dataDir: resolve(base, file.dataDir ?? defaults.dataDir),
    iqnPrefix: file.iqnPrefix ?? defaults.iqnPrefix,
    workers: file.workers ?? defaults.workers,
    listen: {
      iscsi: address(file.listen?.iscsi ?? defaults.listenIscsi),
      http: address(file.listen?.http ?? defaults.listenHttp),
    },
    advertise: advertise === undefined ? {} : { iscsi: address(advertise) },
    free: { ...defaults.free, ...file.free },
    tiers: Object.fromEntries(
      Object.entries({ paid: {}, ...file.tiers }).map(([name, tier]) => [name, { ...defaults.tier, ...tier }]),
    ),
    targets: (file.targets ?? []).map(target),
    discovery: { auth: file.discovery?.auth ?? 'none' },
    state: { replicas: 0, ...file.state },
    admin: { ...file.admin },
    restarts: { ...defaults.restarts, ...file.restarts },
    log: { level: file.log?.level ?? defaults.logLevel },
  }
}

function target({ name, auth, luns = [], redirect }: NonNullable<ConfigFile['targets']>[number]): TargetConfig {
  if (!redirect) return { name, auth, luns }
  return { name, auth, luns, redirect: { to: address(redirect.to), permanent: redirect.permanent ?? false } }
}

function address(text: string): Address {
  const parsed = parseAddress(text)
  if (typeof parsed === 'string') throw new Error(parsed) // unreachable: semanticFaults has looked at it
  return parsed
}

function readJson(path: string): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error'
    const what = code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`
    throw new ConfigError(path, [{ path: '', text: `${what}; give the configuration file with --config FILE` }])
  }
  const json = text.replace(/^\uFEFF/, '')
  try {
    return JSON.parse(json) as unknown
  } catch (error) {
    const what = jsonFault(json) ?? (error as SyntaxError).message
    throw new ConfigError(path, [{ path: '', text: `is not JSON: ${what}; mend it there` }])
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}
