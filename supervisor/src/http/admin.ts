/** The administrator's calls: accounts, and all sessions of all accounts. */
import { Type } from 'typebox'
import type { Account, Accounts } from '../accounts/accounts.js'
import type { Api } from './app.js'
import type { Authentication } from './authentication.js'
import { Problem } from './problem.js'
import { Moment, Name, problems, record } from './schemas.js'

export interface AdminParts {
  readonly accounts: Accounts
  readonly authentication: Authentication
}

const DEFAULT_TIER = 'paid'

const NewAccount = record({
  name: Type.String({
    pattern: '^[^\\p{C}]{1,100}$',
    description: 'for people',
    'x-rule': 'must be 1 to 100 printable characters',
  }),
  tier: Type.Optional(Name),
})
const AccountView = record({ id: Type.String(), name: Type.String(), tier: Type.String(), created_at: Moment })
const WithKey = record({
  ...AccountView.properties,
  api_key: Type.String({ description: 'told here and never again' }),
})
const Listing = record({
  accounts: Type.Array(AccountView),
  damaged: Type.Array(record({ id: Type.String(), why: Type.String() }), {
    description: 'records that cannot be used',
  }),
})
const AccountPath = record({ id: Type.String() })

const common = { tags: ['admin'], security: [{ admin: [] }] }
const refusals = ['unauthenticated', 'admin-token-invalid', 'admin-disabled', 'store-unavailable'] as const

export function addAdmin(app: Api, { accounts, authentication }: AdminParts): void {
  const onRequest = authentication.requireAdmin

  app.post(
    '/api/admin/accounts',
    {
      onRequest,
      schema: {
        ...common,
        summary: 'Make an account, and its key',
        body: NewAccount,
        response: { 201: WithKey, ...problems('invalid-request', ...refusals) },
      },
    },
    async (request, reply) => {
      const { name, tier = DEFAULT_TIER } = request.body
      const { account, apiKey } = await accounts.create({ name, tier })
      return reply.code(201).send({ ...viewOf(account), api_key: apiKey })
    },
  )

  app.get(
    '/api/admin/accounts',
    {
      onRequest,
      schema: { ...common, summary: 'List the accounts', response: { 200: Listing, ...problems(...refusals) } },
    },
    async () => {
      const { accounts: usable, damaged } = await accounts.list()
      return { accounts: usable.map(viewOf), damaged: damaged.map(({ id, damaged }) => ({ id, why: damaged })) }
    },
  )

  app.delete(
    '/api/admin/accounts/:id',
    {
      onRequest,
      schema: {
        ...common,
        summary: 'Revoke the key of an account and forget it',
        description: 'Its sessions go on until their time is over; they have nobody who could renew them by a call.',
        params: AccountPath,
        response: { 204: Type.Null(), ...problems('account-unknown', ...refusals) },
      },
    },
    async (request, reply) => {
      if (!(await accounts.remove(request.params.id))) throw new Problem('account-unknown', 'no account has this id')
      return reply.code(204).send(null)
    },
  )
}

function viewOf({ id, name, tier, createdAt }: Account) {
  return { id, name, tier, created_at: createdAt }
}
