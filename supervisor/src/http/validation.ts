/**
 * How requests are held to their schemas: all faults at once, unknown properties refused. Bodies are taken as they are; parts of the path and of
 * the query are text, and become numbers where the schema wants numbers.
 *
 * A schema says in `x-rule` what a value must be; a person reads it when a rule of that place is broken.
 */
import { Ajv, type ErrorObject, type Options } from 'ajv'
import type { FastifySchemaCompiler, FastifySchemaValidationError } from 'fastify'
import { MAX_ERRORS } from './limits.js'
import type { ProblemItem } from './problem.js'

const options = {
  allErrors: true,
  verbose: true,
  strict: true,
  strictTypes: false,
  strictRequired: false,
  keywords: ['x-rule'],
  // As in record-schema.ts.
  meta: false,
  validateSchema: false,
} satisfies Options
const ofBody = new Ajv(options)
const ofText = new Ajv({ ...options, coerceTypes: true })

export const compileRequestSchema: FastifySchemaCompiler<object> = ({ schema, httpPart }) =>
  (httpPart === 'body' ? ofBody : ofText).compile(schema)

const OF_A_CHOICE = /\/(oneOf|anyOf)\/\d/

/** The faults of a request, one a place. */
export function requestFaults(errors: readonly FastifySchemaValidationError[]): ProblemItem[] {
  const faults = new Map<string, ProblemItem>()
  for (const error of errors as readonly ErrorObject[]) {
    if (OF_A_CHOICE.test(error.schemaPath)) continue // the choice has its own error
    const fault = describe(error)
    if (faults.size < MAX_ERRORS && !faults.has(fault.path ?? '')) faults.set(fault.path ?? '', fault)
  }
  return [...faults.values()]
}

function describe(error: ErrorObject): ProblemItem {
  const place = dotted(error.instancePath)
  const schema = error.parentSchema as { 'x-rule'?: string; properties?: object }
  if (error.keyword === 'additionalProperties') {
    const key = String(error.params['additionalProperty']).slice(0, MAX_SHOWN)
    const known = Object.keys(schema.properties ?? {}).join(', ')
    return item(join(place, key), known === '' ? 'is not taken here' : `is not known; there are: ${known}`)
  }
  if (error.keyword === 'required') return item(join(place, String(error.params['missingProperty'])), 'is missing')
  return item(place, schema['x-rule'] ?? error.message ?? 'is wrong')
}

const MAX_SHOWN = 60

function item(path: string, what: string): ProblemItem {
  return path === '' ? { detail: `the body ${what}` } : { path, detail: `${path} ${what}` }
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

/** `/luns/0/image` → `luns[0].image`. */
function dotted(pointer: string): string {
  let path = ''
  for (const part of pointer.split('/').slice(1)) {
    path = /^[0-9]+$/.test(part) ? `${path}[${part}]` : join(path, part.replaceAll('~1', '/').replaceAll('~0', '~'))
  }
  return path.slice(0, MAX_SHOWN * 2)
}
