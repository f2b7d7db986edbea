/**
 * What is wrong with a configuration: every fault at once, a line each, with the place, what is wrong and what to do.
 */
import { Ajv, type ErrorObject } from 'ajv'
import type { ConfigFile } from './config.js'
import { configSchema } from './schema.js'

/** `path` as a person writes it (`targets[0].luns[1].sizeBytes`); '' is the whole file. */
export interface Fault {
  readonly path: string
  readonly text: string
}

/** A configuration that cannot be used; `message` has a line for every fault. */
export class ConfigError extends Error {
  readonly faults: readonly Fault[]
  constructor(source: string, faults: readonly Fault[]) {
    super(faults.map(fault => `${source}: ${fault.path === '' ? '' : `${fault.path} `}${fault.text}`).join('\n'))
    this.name = 'ConfigError'
    this.faults = faults
  }
}

// The schema is our own: to hold it to the meta-schema, which has to be compiled for that, costs each start more than all else here.
const options = { allErrors: true, verbose: true, strict: true, strictTypes: false, meta: false, validateSchema: false }
const ajv = new Ajv(options)
ajv.addKeyword('explain')
const validate = ajv.compile<ConfigFile>(configSchema)

/** Faults of shape: unknown keys, wrong types, values out of range. One a place, though several rules be broken. */
export function shapeFaults(value: unknown): Fault[] {
  if (validate(value)) return []
  const seen = new Map<string, Fault>()
  for (const error of validate.errors ?? []) {
    if (error.keyword === 'if') continue // what is wrong inside of it has its own error
    const fault = describe(error)
    if (!seen.has(fault.path)) seen.set(fault.path, fault)
  }
  return [...seen.values()]
}

function describe(error: ErrorObject): Fault {
  const path = dotted(error.instancePath)
  const schema = error.parentSchema as { explain?: string; properties?: object }
  if (error.keyword === 'additionalProperties') {
    const key = String(error.params['additionalProperty'])
    const known = Object.keys(schema.properties ?? {}).join(', ')
    return { path: join(path, key), text: `is not a known key; remove it or use one of: ${known}` }
  }
  if (error.keyword === 'required') {
    const key = String(error.params['missingProperty'])
    const hint = key === 'auth' ? '; write "none" to let anybody log in' : '; add it'
    return { path: join(path, key), text: `is missing${hint}` }
  }
  const text = schema.explain ?? error.message ?? 'is wrong'
  return { path, text: SECRET_PATH.test(path) ? text : `${text}; it is ${excerpt(error.data)}` }
}

/** Secrets are never shown, wherever they stand in what is shown. */
const SECRET_KEYS = ['secret', 'password', 'token', 'url']
const SECRET_PATH = new RegExp(`(^|\\.)(${SECRET_KEYS.join('|')})$`)

function excerpt(value: unknown): string {
  const hidden = (key: string, inner: unknown) => (SECRET_KEYS.includes(key) ? '…' : inner)
  const text = JSON.stringify(value, hidden) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

/** `/targets/0/name` → `targets[0].name`. */
function dotted(pointer: string): string {
  let path = ''
  for (const part of pointer.split('/').slice(1)) {
    path = /^[0-9]+$/.test(part) ? `${path}[${part}]` : join(path, part.replaceAll('~1', '/').replaceAll('~0', '~'))
  }
  return path
}
