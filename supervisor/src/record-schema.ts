/**
 * Validators of what the supervisor keeps in files and in the state store. All are compiled by one Ajv, without a look at the meta-schema: the
 * schemas are our own, and to compile that one first costs more than all of them (keywords of a wrong kind are found all the same).
 */
import { Ajv, type ValidateFunction } from 'ajv'

const ajv = new Ajv({ allErrors: true, meta: false, validateSchema: false })

/** Compiles a schema to a validator of `T`, which tells all faults. Throws an error for a keyword that is unknown or has a value of a wrong kind. */
export function compileRecord<T>(schema: object): ValidateFunction<T> {
  return ajv.compile<T>(schema)
}
