/** `scsipub catalog`, `scsipub image …`, and the administrator's `scsipub account …`. */
import type { Account, CatalogEntry } from './answers.js'
import type { Command } from './command.js'
import { formatMoment, formatSize } from './quantities.js'
import { table } from './table.js'

export const otherCommands: readonly Command[] = [
  {
    words: 'catalog',
    args: '',
    minArgs: 0,
    maxArgs: 0,
    about: 'list the images that disks can begin as; with a key your private ones too',
    as: 'anybody',
    run: async ({ client, tokenIfAny }) => {
      const json = await client.call<{ images: CatalogEntry[] }>('GET /api/catalog', { token: tokenIfAny() })
      const rows = json.images.map(({ image, size_bytes, private: own, title }) => [
        image,
        formatSize(size_bytes),
        own ? 'yours' : '',
        title,
      ])
      return { json, text: table(['IMAGE', 'SIZE', 'PRIVATE', 'TITLE'], rows) }
    },
  },
  {
    words: 'image rm',
    args: 'ID',
    minArgs: 1,
    maxArgs: 1,
    about: 'remove a private image',
    as: 'account',
    run: async ({ client, token, args: [id = ''] }) => {
      await client.call(`DELETE /api/images/${encodeURIComponent(id)}`, { token: token() })
      return { json: {}, text: `image ${id} is gone\n` }
    },
  },
  {
    words: 'account create',
    args: 'NAME',
    minArgs: 1,
    maxArgs: 1,
    about: 'make an account; prints its key, once',
    options: { tier: { value: 'TIER', about: 'a tier of the configuration; "paid" unless told' } },
    as: 'admin',
    run: async ({ client, token, args: [name], values: { tier } }) => {
      const body = { name, ...(tier !== undefined && { tier }) }
      const json = await client.call<Account & { api_key: string }>('POST /api/admin/accounts', {
        token: token(),
        body,
      })
      const text = `account ${json.id} (${json.name}, tier ${json.tier})\nits key, shown only now:\n\n  export SCSIPUB_KEY=${json.api_key}\n\n`
      return { json, text }
    },
  },
  {
    words: 'account list',
    args: '',
    minArgs: 0,
    maxArgs: 0,
    about: 'list the accounts',
    as: 'admin',
    run: async ({ client, token }) => {
      type Listing = { accounts: Account[]; damaged: { id: string; why: string }[] }
      const json = await client.call<Listing>('GET /api/admin/accounts', { token: token() })
      const rows = json.accounts.map(({ id, name, tier, created_at }) => [id, name, tier, formatMoment(created_at)])
      const damaged = json.damaged.map(({ id, why }) => `damaged: ${id}: ${why}\n`).join('')
      return { json, text: table(['ID', 'NAME', 'TIER', 'CREATED'], rows) + damaged }
    },
  },
  {
    words: 'account rm',
    args: 'ID',
    minArgs: 1,
    maxArgs: 1,
    about: 'revoke the key of an account and forget it',
    options: { 'remove-sessions': { about: 'remove its sessions too, and all that is on their disks' } },
    as: 'admin',
    run: async ({ client, token, args: [id = ''], values }) => {
      const query = values['remove-sessions'] === true ? '?sessions=remove' : ''
      await client.call(`DELETE /api/admin/accounts/${encodeURIComponent(id)}${query}`, { token: token() })
      return { json: {}, text: `account ${id} is gone\n` }
    },
  },
]
