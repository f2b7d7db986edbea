/**
 * The JSON schema of `auth`: `"none"`, or CHAP with a name, a secret, and what goes with them.
 *
 * A secret of less than 96 bits does not withstand a search by who has seen a login [7143 §9.2.1]; twelve characters are the least that can have
 * them, and Windows takes no more than 16. Names and secrets are printable ASCII, since initiators differ in how they encode anything else.
 */
import { CHAP_ALGORITHM_NAMES } from './config.js'
import { section } from './section.js'

const user = {
  type: 'string',
  pattern: '^[\\x20-\\x7e]{1,255}$',
  explain: 'must be 1 to 255 characters of printable ASCII',
} as const
const secret = {
  type: 'string',
  pattern: '^[\\x20-\\x7e]{12,255}$',
  explain: 'must be 12 to 255 characters of printable ASCII, best 16 random ones; Windows takes 12 to 16 [7143 §9.2.1]',
} as const

const chap = {
  ...section({
    user,
    secret,
    mutual: { ...section({ user, secret }), required: ['user', 'secret'] },
    algorithms: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: { enum: CHAP_ALGORITHM_NAMES, explain: `must be one of ${CHAP_ALGORITHM_NAMES.join(', ')}` },
      explain: `must be a list of some of ${CHAP_ALGORITHM_NAMES.join(', ')}, without repetition`,
    },
  }),
  required: ['user', 'secret'],
}

/** `"none"` or `{ "chap": { … } }`. */
export const authentication = {
  if: { type: 'object' },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON schema
  then: { ...section({ chap }), required: ['chap'] },
  else: { const: 'none', explain: 'must be "none" or { "chap": { "user": "…", "secret": "…" } }' },
} as const
