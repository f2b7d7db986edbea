/** What leases refuse, as problems: the code is that of the first fault, and every fault is told. */
import { LeaseError, type LeaseFaultCode } from '../leases/lease-error.js'
import { PROBLEMS, Problem, type ProblemCode } from './problem.js'

/** Codes that the API calls otherwise. */
const RENAMED: Partial<Record<LeaseFaultCode, ProblemCode>> = {
  'lease-unknown': 'session-unknown',
  space: 'out-of-space',
  failed: 'internal',
}

/** Does it; what leases refuse is thrown as a problem, with places as `placeOf` names them. */
export async function withProblems<T>(act: () => Promise<T>, placeOf = placeOfLun): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw error instanceof LeaseError ? problemOf(error, placeOf) : error
  }
}

/** A place in a call for one LUN. */
function placeOfLun(path: string): string {
  return path === 'sizeBytes' ? 'size_bytes' : path
}

function problemOf({ code, faults }: LeaseError, placeOf: (path: string) => string): Problem {
  const errors = faults.map(({ code, why, path = '' }) => {
    const place = placeOf(path)
    return { ...(place !== '' && { path: place }), code: codeOf(code), detail: place === '' ? why : `${place} ${why}` }
  })
  const placed = faults.length > 1 || faults[0]?.path !== undefined
  const detail = errors.map(({ detail }) => detail).join('; ')
  return new Problem(codeOf(code), detail, placed ? { errors } : {})
}

function codeOf(code: LeaseFaultCode): ProblemCode {
  const renamed = RENAMED[code] ?? code
  return renamed in PROBLEMS ? (renamed as ProblemCode) : 'internal'
}
