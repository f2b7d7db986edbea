/** Schemas that several calls share. They validate, type and document; names of fields are those that scripts rely on. */
import { MAX_LUN_BYTES, NAME_PATTERN } from '@scsipub/config'
import { type Static, type TSchema, Type } from 'typebox'
import { PROBLEM_TYPE, PROBLEMS, type ProblemCode } from './problem.js'

/** An object with these properties and no others. */
export function record<P extends Record<string, TSchema>>(properties: P, options: object = {}) {
  return Type.Object(properties, { additionalProperties: false, ...options })
}

export const Name = Type.String({
  pattern: NAME_PATTERN,
  'x-rule': 'must be 1 to 64 of the characters a-z 0-9 . -, not starting or ending with . or -',
})
/** What people call something. */
export const Label = Type.String({
  pattern: '^[^\\p{C}]{1,100}$',
  description: 'for people',
  'x-rule': 'must be 1 to 100 printable characters',
})
export const SizeBytes = Type.Integer({
  minimum: 512,
  maximum: MAX_LUN_BYTES,
  multipleOf: 512,
  'x-rule': `must be a number of bytes from 512 to ${MAX_LUN_BYTES}, a multiple of 512`,
})
export const Moment = Type.String({ description: 'RFC 3339, UTC' })
/** Part of a path: whatever is not there is 404, not 400. */
export const ById = record({ id: Type.String() })

const ProblemSchema = Type.Object(
  {
    type: Type.String({ description: 'urn:scsipub:problem:CODE' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'a sentence for a person' }),
    code: Type.Unsafe<ProblemCode>({ type: 'string', enum: Object.keys(PROBLEMS) }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          path: Type.Optional(Type.String({ description: 'where in the request, such as luns[0].image' })),
          code: Type.Optional(Type.String()),
          detail: Type.String(),
        }),
        { description: 'every fault, where there can be several' },
      ),
    ),
  },
  { $id: 'Problem' },
)

const LunView = record({
  lun: Type.Integer(),
  image: Type.String({ description: 'what it began as; "blank" for an empty disk' }),
  size_bytes: Type.Integer(),
})

const summary = {
  id: Type.String(),
  name: Type.Optional(Type.String()),
  iqn: Type.String({ description: 'name of the target to log in to' }),
  portal: Type.String({ description: 'address of the target, host:port' }),
  state: Type.Unsafe<string>({ type: 'string', enum: ['provisioning', 'suspended', 'attached', 'evicting'] }),
  luns: Type.Array(LunView),
  created_at: Moment,
  expires_at: Type.String({ description: 'when it is gone if nobody uses it from now on; RFC 3339, UTC' }),
  attached_sessions: Type.Integer({ description: 'iSCSI sessions at the moment' }),
  expiring: Type.Boolean({ description: 'the last tenth of its time has begun' }),
  refused: Type.Optional(Type.String({ description: 'why logins to it are refused, when they are' })),
}

/** A session with what its owner alone may see. */
export const SessionSchema = Type.Object(
  { ...summary, chap_user: Type.String(), chap_secret: Type.String() },
  { $id: 'Session', additionalProperties: false },
)
/** A session in a list of its owner. */
export const SessionSummary = Type.Object(summary, { $id: 'SessionSummary', additionalProperties: false })
/** A session as an administrator sees it. */
export const AdminSession = Type.Object(
  { ...summary, account_id: Type.String() },
  { $id: 'AdminSession', additionalProperties: false },
)
export const ImageSchema = Type.Object(
  { id: Type.String(), name: Type.String(), size_bytes: Type.Integer(), created_at: Moment },
  { $id: 'Image', additionalProperties: false, description: 'a private image' },
)

/** Schemas that the document has by name. */
export const NAMED: readonly TSchema[] = [ProblemSchema, SessionSchema, SessionSummary, AdminSession, ImageSchema]

/** A schema of `NAMED`, by reference. */
export function named<S extends TSchema>(schema: S & { $id?: string }) {
  return Type.Unsafe<Static<S>>({ $ref: `${schema.$id}#` })
}

/** The responses of a call beside its success: problems of these codes. */
export function problems(...codes: ProblemCode[]) {
  const responses: Record<number, object> = {}
  for (const code of codes) {
    const status = PROBLEMS[code][0]
    const others = codes.filter(other => PROBLEMS[other][0] === status)
    const content = { [PROBLEM_TYPE]: { schema: named(ProblemSchema) } }
    responses[status] = { description: `code: ${others.join(', ')}`, content }
  }
  return responses
}
