/**
 * Who asks: an account by its API key, or the administrator by the token of the configuration, both as bearer tokens [6750 §2.1]. Used as hooks,
 * so that a stranger's body is not even read. Wrong ones are answered later and later, as failed logins are.
 */
import { setTimeout } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import type { Account, Accounts } from '../accounts/accounts.js'
import { digestOf, isSecretOf } from '../accounts/api-key.js'
import type { Log } from '../log.js'
import type { LoginPenalty } from '../login-penalty.js'
import { Problem } from './problem.js'

export interface AuthenticationParts {
  readonly accounts: Pick<Accounts, 'authenticate'>
  /** `admin.token` of the configuration. */
  readonly adminToken: string | undefined
  readonly penalty: Pick<LoginPenalty, 'failed'>
  readonly log: Log
}

const BEARER = /^Bearer +([\x21-\x7e]+) *$/i
const CHALLENGE = { headers: { 'www-authenticate': 'Bearer realm="scsipub"' } }
const WRONG = { headers: { 'www-authenticate': 'Bearer realm="scsipub", error="invalid_token"' } }

export class Authentication {
  readonly #parts: AuthenticationParts
  readonly #adminDigest: string | undefined
  readonly #accounts = new WeakMap<FastifyRequest, Account>()

  constructor(parts: AuthenticationParts) {
    this.#parts = parts
    this.#adminDigest = parts.adminToken === undefined ? undefined : digestOf(parts.adminToken)
  }

  /** Hook: lets an account in, and nobody else. */
  readonly requireAccount = async (request: FastifyRequest): Promise<void> => {
    const key = tokenOf(request)
    if (key === undefined)
      throw new Problem('unauthenticated', 'send the API key of an account: Authorization: Bearer KEY', CHALLENGE)
    const account = await this.#parts.accounts.authenticate(key)
    if (!account) {
      await this.#slow(request)
      throw new Problem('key-invalid', 'no account has this key; it may have been revoked', WRONG)
    }
    this.#accounts.set(request, account)
  }

  /** Hook: lets everybody in, and knows an account by its key; a wrong key is refused. */
  readonly allowAccount = async (request: FastifyRequest): Promise<void> => {
    if (request.headers.authorization !== undefined) await this.requireAccount(request)
  }

  /** Hook: lets the administrator in, and nobody else. */
  readonly requireAdmin = async (request: FastifyRequest): Promise<void> => {
    if (this.#adminDigest === undefined)
      throw new Problem('admin-disabled', 'set admin.token in the configuration, or SCSIPUB_ADMIN_TOKEN')
    const token = tokenOf(request)
    if (token === undefined)
      throw new Problem('unauthenticated', 'send the admin token: Authorization: Bearer TOKEN', CHALLENGE)
    if (isSecretOf(this.#adminDigest, token)) return
    await this.#slow(request)
    throw new Problem('admin-token-invalid', 'this is not admin.token of the configuration', WRONG)
  }

  /** The account that `requireAccount` has let in. */
  account(request: FastifyRequest): Account {
    const account = this.#accounts.get(request)
    if (!account) throw new Error('a call without requireAccount asks for its account')
    return account
  }

  /** The account that `allowAccount` knows, if any. */
  accountIfAny(request: FastifyRequest): Account | undefined {
    return this.#accounts.get(request)
  }

  async #slow(request: FastifyRequest): Promise<void> {
    const { penalty, log } = this.#parts
    log.info({ event: 'http.authentication.failed', remote: request.ip })
    await setTimeout(penalty.failed(request.ip))
  }
}

function tokenOf(request: FastifyRequest): string | undefined {
  return BEARER.exec(request.headers.authorization ?? '')?.[1]
}
