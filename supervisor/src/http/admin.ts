/** The administrator's calls: accounts, and the sessions of all accounts. */
import type { TierConfig } from '@scsipub/config'
import { Type } from 'typebox'
import type { Account, Accounts } from '../accounts/accounts.js'
import type { Leases } from '../leases/leases.js'
import type { Api } from './app.js'
import type { Authentication } from './authentication.js'
import { withProblems } from './lease-problems.js'
import type { PortalFacts } from './portal.js'
import { Problem } from './problem.js'
import { AdminSession, ById, Label, Moment, Name, named, problems, record } from './schemas.js'
import { summaryOf } from './session-views.js'

export interface AdminParts {
  readonly accounts: Accounts
  readonly authentication: Authentication
  readonly leases: Leases
  readonly tiers: Readonly<Record<string, TierConfig>>
  readonly portal: () => PortalFacts
}

const DEFAULT_TIER = 'paid'

const NewAccount = record({
  name: Label,
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
const Removal = record({
  sessions: Type.Optional(
    Type.Unsafe<'keep' | 'remove'>({
      type: 'string',
      enum: ['keep', 'remove'],
      description: 'what becomes of its sessions; unless told, they go on until their time is over',
      'x-rule': 'must be keep or remove',
    }),
  ),
})

const common = { tags: ['admin'], security: [{ admin: [] }] }
const refusals = ['unauthenticated', 'admin-token-invalid', 'admin-disabled', 'store-unavailable'] as const

export function addAdmin(app: Api, parts: AdminParts): void {
  const { accounts, authentication, leases, portal } = parts
  const onRequest = authentication.requireAdmin

  app.post(
    '/api/admin/accounts',
    {
      onRequest,
      schema: {
        ...common,
        summary: 'Make an account, and its key',
        body: NewAccount,
        response: { 201: WithKey, ...problems('invalid-request', 'tier-unknown', ...refusals) },
      },
    },
    async (request, reply) => {
      const { name, tier = DEFAULT_TIER } = request.body
      if (!Object.hasOwn(parts.tiers, tier)) {
        const known = Object.keys(parts.tiers).join(', ')
        throw new Problem('tier-unknown', `the configuration has no tier "${tier}"; there are: ${known}`)
      }
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
        params: ById,
        querystring: Removal,
        response: { 204: Type.Null(), ...problems('invalid-request', 'account-unknown', ...refusals) },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const revoked = await accounts.remove(id) // first, so that nobody makes sessions meanwhile
      const sessions = request.query.sessions === 'remove' ? leases.list(id) : []
      if (!revoked && sessions.length === 0) throw new Problem('account-unknown', 'no account has this id')
      for (const session of sessions) await withProblems(() => leases.remove(session.id))
      return reply.code(204).send(null)
    },
  )

  app.get(
    '/api/admin/sessions',
    {
      onRequest,
      schema: {
        ...common,
        summary: 'List the sessions of all accounts, oldest first',
        response: { 200: record({ sessions: Type.Array(named(AdminSession)) }), ...problems(...refusals) },
      },
    },
    async request => {
      const all = leases.list()
      return { sessions: all.map(lease => ({ ...summaryOf(lease, request, portal()), account_id: lease.accountId })) }
    },
  )
}

function viewOf({ id, name, tier, createdAt }: Account) {
  return { id, name, tier, created_at: createdAt }
}
