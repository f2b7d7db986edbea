/**
 * The JSON schema of the configuration file. `explain` says in words what a value must be; it is what a person reads when
 * a rule of that place is broken. What a schema cannot say (names used twice, addresses) is in `semantics.ts`.
 */
import { authentication } from './auth-schema.js'
import { LOG_LEVELS, MAX_LUN_BYTES, MAX_LUNS, MAX_STATE_REPLICAS, MAX_WORKERS } from './config.js'
import { section } from './section.js'

/** Names end up in an iSCSI name and in file names: the characters of RFC 3722, without ':'. At most 64 characters. */
export const NAME_PATTERN = '^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$'
const NAME_EXPLAINED =
  'must be 1 to 64 of the characters a-z 0-9 . - (no upper case, no "/"), not starting or ending with . or -'

const name = { type: 'string', pattern: NAME_PATTERN, explain: NAME_EXPLAINED } as const
const address = { type: 'string', explain: 'must be an address such as "0.0.0.0:3260"' } as const
const diskBytes = {
  type: 'integer',
  minimum: 512,
  maximum: MAX_LUN_BYTES,
  multipleOf: 512,
  explain: `must be a number of bytes from 512 to ${MAX_LUN_BYTES}, a multiple of 512`,
} as const
const sessionCount = {
  type: 'integer',
  minimum: 0,
  maximum: 1_000_000,
  explain: 'must be a whole number from 0 (no cap) to 1000000',
} as const

/** Ten years. */
const MAX_TTL_SECONDS = 315_360_000

/** A year. */
const MAX_HOURS = 8_784

const flag = { type: 'boolean', explain: 'must be true or false' } as const

const lun = section({
  image: name,
  sizeBytes: diskBytes,
  blockBytes: { enum: [512, 4096], explain: 'must be 512 or 4096' },
  physicalBlockBytes: { enum: [512, 4096], explain: 'must be 512 or 4096' },
  readOnly: flag,
  removable: flag,
  thin: flag,
})

const redirect = {
  ...section({
    to: { type: 'string', explain: 'must be the address of another server, such as "192.0.2.1:3260"' },
    permanent: { type: 'boolean', explain: 'must be true or false' },
  }),
  required: ['to'],
}

const target = {
  ...section({
    name,
    auth: authentication,
    luns: {
      type: 'array',
      minItems: 1,
      maxItems: MAX_LUNS,
      items: lun,
      explain: `must be a list of 1 to ${MAX_LUNS} LUNs`,
    },
    redirect,
  }),
  required: ['name', 'auth'],
}

const tier = section({
  maxSessions: {
    type: 'integer',
    minimum: 0,
    maximum: 1_000_000,
    explain: 'must be a whole number from 0 to 1000000',
  },
  maxBytes: {
    type: 'integer',
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    explain: 'must be a number of bytes',
  },
  ttlSeconds: {
    type: 'integer',
    minimum: 1,
    maximum: MAX_TTL_SECONDS,
    explain: `must be a whole number of seconds from 1 to ${MAX_TTL_SECONDS}`,
  },
})

export const configSchema = section({
  dataDir: { type: 'string', minLength: 1, explain: 'must be the path of a folder' },
  iqnPrefix: {
    type: 'string',
    maxLength: 158,
    pattern: '^iqn\\.[0-9]{4}-(0[1-9]|1[0-2])\\.[a-z0-9]([a-z0-9.:-]*[a-z0-9])?$',
    explain: 'must look like iqn.2025-01.com.example, in lower case, at most 158 characters [7143 §4.2.7.5]',
  },
  workers: {
    type: 'integer',
    minimum: 1,
    maximum: MAX_WORKERS,
    explain: `must be a whole number from 1 to ${MAX_WORKERS}`,
  },
  listen: section({ iscsi: address, http: address }),
  advertise: section({ iscsi: address }),
  free: section({
    blankBytes: diskBytes,
    quotaBytes: diskBytes,
    maxSessions: sessionCount,
    maxSessionsPerAddress: sessionCount,
    capLoopback: flag,
  }),
  tiers: {
    type: 'object',
    propertyNames: name,
    additionalProperties: tier,
    explain: 'must be an object of tiers by name',
  },
  targets: { type: 'array', items: target, explain: 'must be a list of targets' },
  discovery: section({ auth: authentication }),
  state: section({
    url: { type: 'string', explain: 'must be text such as "redis://127.0.0.1:6379"' },
    replicas: {
      type: 'integer',
      minimum: 0,
      maximum: MAX_STATE_REPLICAS,
      explain: `must be a whole number from 0 to ${MAX_STATE_REPLICAS}`,
    },
  }),
  admin: section({
    token: {
      type: 'string',
      pattern: '^[\\x21-\\x7e]{16,255}$',
      explain: 'must be 16 to 255 characters of printable ASCII without blanks; take random ones',
    },
  }),
  restarts: section({
    memoryBytes: {
      type: 'integer',
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      explain: 'must be a number of bytes; 0 lifts the limit',
    },
    everyHours: {
      type: 'integer',
      minimum: 1,
      maximum: MAX_HOURS,
      explain: `must be a whole number of hours from 1 to ${MAX_HOURS}`,
    },
    at: {
      type: 'string',
      pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$',
      explain: 'must be a time of day such as "04:30"',
    },
  }),
  log: section({ level: { enum: LOG_LEVELS, explain: `must be one of ${LOG_LEVELS.join(', ')}` } }),
})
