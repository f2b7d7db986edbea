/** Schemas that several calls share. They validate, type and document; names of fields are those that scripts rely on. */
import { NAME_PATTERN } from '@scsipub/config'
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
export const Moment = Type.String({ description: 'RFC 3339, UTC' })

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

/** Schemas that the document has by name. */
export const NAMED: readonly TSchema[] = [ProblemSchema]

/** A schema of `NAMED`, by reference. */
function named<S extends TSchema>(schema: S & { $id?: string }) {
  return Type.Unsafe<Static<S>>({ $ref: `${schema.$id}#` })
}

/** The responses of a call beside its success: problems, of these codes among others. */
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
