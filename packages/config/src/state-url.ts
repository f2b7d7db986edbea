/**
 * Where the state store is, as a person writes it:
 *
 *     redis://[[user]:password@]host[:port][/database]          rediss:// is the same over TLS
 *     unix:///run/redis/redis.sock[?user=…&password=…&database=…]
 *     redis+sentinel://[[user]:password@]host[:port],…/name[/database]
 *
 * Passwords are percent-encoded. What is wrong is said without showing the text, for there may be a password in it.
 */
import { type Address, parseAddress } from './address.js'

export interface StateAddress {
  /** A server, the file of a socket, or the sentinels who know which server is the primary of the group `name`. */
  readonly at:
    | { readonly kind: 'tcp'; readonly address: Address; readonly tls: boolean }
    | { readonly kind: 'unix'; readonly path: string }
    | { readonly kind: 'sentinel'; readonly sentinels: readonly Address[]; readonly name: string }
  readonly user?: string
  readonly password?: string
  readonly database: number
}

type Credentials = Pick<StateAddress, 'user' | 'password'>

const FORM = /^([a-z+]+):\/\/(?:([^@/?#]*)@)?([^@/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/
const FORMS = 'write redis://host:6379, rediss://…, unix:///path/to/socket or redis+sentinel://host:26379,…/name'
const REDIS_PORT = 6379
const SENTINEL_PORT = 26379

/** Reads the url of a state store; a string instead of a `StateAddress` says what is wrong. */
export function parseStateUrl(text: string): StateAddress | string {
  const match = FORM.exec(text)
  if (!match)
    return `is not the url of a state store; ${FORMS}; characters such as @ / ? # in a password are written %40 %2F %3F %23`
  const [, scheme = '', login, hosts = '', path = '', query] = match
  if (scheme === 'unix') return unixAddress(login, hosts, path, query)
  if (scheme !== 'redis' && scheme !== 'rediss' && scheme !== 'redis+sentinel')
    return `has the unknown scheme "${scheme}"; ${FORMS}`
  if (query !== undefined) return 'has a query after "?", which only unix:// takes'
  const credentials = credentialsOf(login)
  if (typeof credentials === 'string') return credentials
  const parts = path.split('/').slice(1)
  if (scheme === 'redis+sentinel') {
    const name = parts.shift()
    if (!name) return 'lacks the name of the group that the sentinels watch; write redis+sentinel://host:26379/name'
    const sentinels: Address[] = []
    for (const host of hosts.split(',')) {
      const address = withPort(host, SENTINEL_PORT)
      if (typeof address === 'string') return address
      sentinels.push(address)
    }
    return complete({ kind: 'sentinel', sentinels, name }, credentials, parts)
  }
  const address = withPort(hosts, REDIS_PORT)
  if (typeof address === 'string') return address
  return complete({ kind: 'tcp', address, tls: scheme === 'rediss' }, credentials, parts)
}

function complete(
  at: StateAddress['at'],
  credentials: Credentials,
  [digits, ...more]: string[],
): StateAddress | string {
  const database = databaseOf(digits)
  if (database === undefined || more.length > 0) return 'has something other than the number of a database at its end'
  return { at, ...credentials, database }
}

function unixAddress(login: string | undefined, host: string, path: string, query = ''): StateAddress | string {
  if (login !== undefined) return 'has a login before the path; write unix:///path/to/socket?user=…&password=…'
  if (host !== '' || path.length < 2) return 'lacks an absolute path; write unix:///path/to/socket'
  const options = new URLSearchParams(query)
  for (const key of options.keys())
    if (!['user', 'password', 'database'].includes(key)) return `has the unknown option "${key}" after "?"`
  const database = databaseOf(options.get('database') ?? undefined)
  if (database === undefined) return 'has something other than the number of a database in its option "database"'
  const [user, password] = [options.get('user'), options.get('password')]
  const decoded = decode(path)
  if (decoded === undefined) return BAD_ESCAPE
  return { at: { kind: 'unix', path: decoded }, ...(user && { user }), ...(password && { password }), database }
}

const BAD_ESCAPE =
  'has a "%" that is not followed by two hexadecimal digits of UTF-8; write %25 for the character itself'

function credentialsOf(login: string | undefined): Credentials | string {
  if (login === undefined) return {}
  const colon = login.indexOf(':')
  const user = decode(colon < 0 ? login : login.slice(0, colon))
  const password = decode(colon < 0 ? '' : login.slice(colon + 1))
  if (user === undefined || password === undefined) return BAD_ESCAPE
  if (password === '') return 'has a login without a password; write user:password@ or :password@'
  return { ...(user !== '' && { user }), password }
}

/** Host and port; a string says what is wrong. */
function withPort(host: string, port: number): Address | string {
  const address = parseAddress(/:[0-9]*$/.test(host.replace(/\[.*\]/, '')) ? host : `${host}:${port}`)
  return typeof address === 'string' || address.port === 0 ? `has no valid host and port; ${FORMS}` : address
}

function databaseOf(digits: string | undefined): number | undefined {
  if (digits === undefined || digits === '') return 0
  return /^[0-9]{1,5}$/.test(digits) ? Number(digits) : undefined
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
