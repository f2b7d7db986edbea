/**
 * What goes wrong with a request, as RFC 9457 has it: `application/problem+json` with a stable `code` that programs rely on, a `detail`
 * for people, and `errors` where there are several faults. The catalogue below is all codes that there are.
 */

/** Status and title by code. A code never changes its meaning; `detail` may be worded anew at any time. */
export const PROBLEMS = {
  'invalid-request': [400, 'The request is not what this call takes'],
  'invalid-json': [400, 'The body is not JSON'],
  'malformed-http': [400, 'This is not HTTP'],
  unauthenticated: [401, 'This call needs a key'],
  'key-invalid': [401, 'The key is not valid'],
  'admin-token-invalid': [401, 'The admin token is not valid'],
  'admin-disabled': [403, 'There is no admin token'],
  'quota-exceeded': [403, 'The tier of the account does not allow that much'],
  'not-found': [404, 'There is nothing here'],
  'session-unknown': [404, 'There is no such session'],
  'lun-unknown': [404, 'The session has no such LUN'],
  'account-unknown': [404, 'There is no such account'],
  'worker-unknown': [404, 'There is no such worker'],
  'method-not-allowed': [405, 'This method cannot be used here'],
  'request-timeout': [408, 'The request took too long to arrive'],
  busy: [409, 'Something else is under way with it'],
  'restart-running': [409, 'Workers are being restarted already'],
  'image-in-use': [409, 'Disks stand on the image'],
  'upgrade-failed': [409, 'The server could not be replaced, and goes on'],
  refused: [409, 'It cannot be done with this session'],
  'body-too-large': [413, 'The body is too large'],
  'unsupported-media-type': [415, 'The body must be application/json'],
  'image-unknown': [422, 'There is no such image'],
  'size-invalid': [422, 'A disk cannot have that size'],
  'ttl-invalid': [422, 'A session cannot have that time'],
  'name-invalid': [422, 'It cannot have that name'],
  'luns-missing': [422, 'A session has at least one LUN'],
  'too-many-luns': [422, 'A session cannot have that many LUNs'],
  'tier-unknown': [422, 'There is no such tier'],
  'headers-too-large': [431, 'The header fields are too large'],
  internal: [500, 'The server failed'],
  'not-ready': [503, 'The server is not ready'],
  'store-unavailable': [503, 'The state store does not answer'],
  'worker-cannot-start': [503, 'No other worker can be started'],
  'too-many-streams': [503, 'Too many watch the events'],
  stopping: [503, 'The server is about to stop'],
  'out-of-space': [507, 'The server has no room for it'],
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ProblemCode = keyof typeof PROBLEMS

/** One of several faults: where it is (`luns[0].image`), its own code if it has one, and what it is. */
export interface ProblemItem {
  readonly path?: string
  readonly code?: string
  readonly detail: string
}

export interface ProblemBody {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ProblemCode
  readonly errors?: readonly ProblemItem[]
}

export interface ProblemOptions {
  readonly errors?: readonly ProblemItem[]
  readonly headers?: Readonly<Record<string, string>>
}

export const PROBLEM_TYPE = 'application/problem+json'

/** Thrown by whatever refuses a request. `detail` is a sentence for a person. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly #errors: readonly ProblemItem[] | undefined

  constructor(code: ProblemCode, detail: string, { errors, headers = {} }: ProblemOptions = {}) {
    super(detail)
    this.name = 'Problem'
    this.code = code
    this.status = PROBLEMS[code][0]
    this.headers = this.status === 503 ? { 'retry-after': RETRY_AFTER_SECONDS, ...headers } : headers
    this.#errors = errors
  }

  get body(): ProblemBody {
    return {
      type: `urn:scsipub:problem:${this.code}`,
      title: PROBLEMS[this.code][1],
      status: this.status,
      detail: this.message,
      code: this.code,
      ...(this.#errors && { errors: this.#errors }),
    }
  }
}

const RETRY_AFTER_SECONDS = '5'
