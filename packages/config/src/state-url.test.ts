/** The url of the state store: every form, and what is wrong with others, without a word of the password. */
import t from 'tap'
import { parseStateUrl } from './state-url.js'

const taken: readonly [url: string, means: object][] = [
  ['redis://h', { at: { kind: 'tcp', address: { host: 'h', port: 6379 }, tls: false }, database: 0 }],
  ['redis://127.0.0.1:7000/3', { at: { address: { host: '127.0.0.1', port: 7000 } }, database: 3 }],
  ['redis://[::1]:7000/', { at: { address: { host: '::1', port: 7000 } } }],
  ['redis://[::1]', { at: { address: { host: '::1', port: 6379 } } }],
  ['rediss://:p%40ss@h', { at: { tls: true }, user: undefined, password: 'p@ss' }],
  ['redis://u:a:b@h', { user: 'u', password: 'a:b' }],
  ['unix:///run/redis.sock', { at: { kind: 'unix', path: '/run/redis.sock' }, database: 0 }],
  ['unix:///r?user=u&password=a%26b&database=2', { at: { path: '/r' }, user: 'u', password: 'a&b', database: 2 }],
  [
    'redis+sentinel://:pw@a,b:7000/main/1',
    {
      at: {
        kind: 'sentinel',
        sentinels: [
          { host: 'a', port: 26379 },
          { host: 'b', port: 7000 },
        ],
        name: 'main',
      },
      password: 'pw',
      database: 1,
    },
  ],
]
for (const [url, means] of taken) {
  t.test(`taken: ${url}`, async t => {
    const parsed = parseStateUrl(url)
    t.type(parsed, 'object', String(parsed))
    t.match(parsed, means)
  })
}

const refused: readonly [url: string, why: RegExp][] = [
  ['', /^is not the url/],
  ['127.0.0.1:6379', /^is not the url/],
  ['redis:hidden@h', /^is not the url/],
  ['redis://:hid/den@h', /^is not the url|no valid host/],
  ['http://:hidden@h', /^has the unknown scheme "http"/],
  ['redis://', /^has no valid host/],
  ['redis://h:0', /^has no valid host/],
  ['redis://h:99999', /^has no valid host/],
  ['redis://h:x', /^has no valid host/],
  ['redis://hidden@h', /^has a login without a password/],
  ['redis://:%zzhidden@h', /^has a "%"/],
  ['redis://h/db', /^has something other than the number/],
  ['redis://h/1/2', /^has something other than the number/],
  ['redis://h?x=hidden', /^has a query/],
  ['redis://a,b', /^has no valid host/],
  ['redis+sentinel://h', /^lacks the name/],
  ['redis+sentinel://a,,b/n', /^has no valid host/],
  ['unix://run/redis.sock', /^lacks an absolute path/],
  ['unix://:hidden@/run/redis.sock', /^has a login before the path/],
  ['unix:///r?pass=hidden', /^has the unknown option "pass"/],
  ['unix:///r?database=x', /^has something other than the number/],
]
for (const [url, why] of refused) {
  t.test(`refused: ${url || 'nothing'}`, async t => {
    const said = parseStateUrl(url)
    t.match(said, why)
    t.notMatch(said, 'hid', 'nothing of a password is shown')
  })
}
