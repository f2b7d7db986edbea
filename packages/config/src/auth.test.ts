/** Authentication and redirection in the configuration: what is refused, in which words, and that no word of it is a secret. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ConfigError, loadConfig } from './index.js'

const luns = [{ sizeBytes: 512 }]
const SECRET = 'kept-to-itself-0'
const OTHER = 'kept-to-itself-1'
const chap = { user: 'u', secret: SECRET }

const target = (auth: unknown, more: object = {}) => ({ targets: [{ name: 'a', auth, luns, ...more }] })
const withChap = (more: object) => target({ chap: { ...chap, ...more } })

function write(t: Test, content: unknown): string {
  const path = join(t.testdir(), 'c.json')
  writeFileSync(path, JSON.stringify(content))
  return path
}

function faultsOf(t: Test, content: unknown, env: NodeJS.ProcessEnv = {}): string[] {
  try {
    loadConfig({ path: write(t, content), env })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.faults.map(({ path, text }) => `${path} ${text}`)
  }
  return []
}

const refused: readonly [what: string, content: unknown, line: RegExp][] = [
  ['another kind of auth', target('srp'), /^targets\[0\]\.auth must be "none" or \{ "chap": .* it is "srp"/],
  ['an auth of nothing', target({}), /^targets\[0\]\.auth\.chap is missing; add it/],
  ['an auth of two kinds', target({ chap, srp: {} }), /^targets\[0\]\.auth\.srp is not a known key/],
  ['no user', target({ chap: { secret: SECRET } }), /^targets\[0\]\.auth\.chap\.user is missing/],
  ['no secret', target({ chap: { user: 'u' } }), /^targets\[0\]\.auth\.chap\.secret is missing/],
  ['a user of 256 characters', withChap({ user: 'u'.repeat(256) }), /chap\.user must be 1 to 255 characters/],
  ['a user that is not ASCII', withChap({ user: 'Jörg' }), /chap\.user must be .* ASCII; it is "Jörg"/],
  ['a secret of 11 characters [7143 §9.2.1]', withChap({ secret: 'kept-to-its' }), /chap\.secret must be 12 to 255/],
  ['a secret of 256 characters', withChap({ secret: 'kept-to-itse'.repeat(22) }), /chap\.secret must be 12 to 255/],
  ['a secret that is not ASCII', withChap({ secret: `${SECRET}ö` }), /chap\.secret must be .* ASCII/],
  ['a secret with a line end', withChap({ secret: `${SECRET}\n` }), /chap\.secret must be .* ASCII/],
  ['a secret that is a number', withChap({ secret: 123456789012 }), /chap\.secret must be .* ASCII/],
  ['a misspelt secret', withChap({ secrets: SECRET }), /chap\.secrets is not a known key; .* user, secret, mutual/],
  ['no algorithm', withChap({ algorithms: [] }), /chap\.algorithms must be a list of some of md5, sha1/],
  ['an algorithm twice', withChap({ algorithms: ['md5', 'md5'] }), /chap\.algorithms must be .* without repetition/],
  ['an unknown algorithm', withChap({ algorithms: ['md4'] }), /chap\.algorithms\[0\] must be one of md5, sha1/],
  ['half a mutual leg', withChap({ mutual: { user: 'x' } }), /chap\.mutual\.secret is missing/],
  [
    'one secret for both directions [7143 §9.2.1]',
    withChap({ mutual: chap }),
    /^targets\[0\]\.auth\.chap\.mutual\.secret is the same as targets\[0\]\.auth\.chap\.secret; .* both directions/,
  ],
  [
    "a target's secret that is an initiator's elsewhere [7143 §9.2.1]",
    {
      targets: [
        { name: 'a', auth: { chap: { ...chap, mutual: { user: 'x', secret: OTHER } } }, luns },
        { name: 'b', auth: { chap: { user: 'v', secret: OTHER } }, luns },
      ],
    },
    /^targets\[0\]\.auth\.chap\.mutual\.secret is the same as targets\[1\]\.auth\.chap\.secret/,
  ],
  [
    "discovery's own secret that is an initiator's",
    {
      ...target({ chap }),
      discovery: { auth: { chap: { user: 'd', secret: OTHER, mutual: { user: 'x', secret: SECRET } } } },
    },
    /^discovery\.auth\.chap\.mutual\.secret is the same as targets\[0\]\.auth\.chap\.secret/,
  ],
  ['another kind of discovery', { discovery: { auth: 'all' } }, /^discovery\.auth must be "none" or/],
  ['no LUNs', { targets: [{ name: 'a', auth: 'none' }] }, /^targets\[0\]\.luns is missing; add it/],
  ['a redirection to nowhere', target('none', { redirect: {} }), /^targets\[0\]\.redirect\.to is missing/],
  ['a redirection without port', target('none', { redirect: { to: 'h' } }), /redirect\.to .* is not an address/],
  ['a redirection to port 0', target('none', { redirect: { to: 'h:0' } }), /redirect\.to needs the port/],
  ['IPv6 without brackets', target('none', { redirect: { to: '2001:db8::1' } }), /write \[2001:db8::1\]:3260/],
]
for (const [what, content, line] of refused) {
  t.test(`refused: ${what}`, async t => {
    const faults = faultsOf(t, content)
    t.equal(faults.length, 1, faults.join('\n'))
    t.match(faults[0], line)
    t.notMatch(faults[0], /kept-to-itse|123456789012/, 'no secret is shown')
  })
}

t.test('no secret is shown when something around it is wrong, or the JSON of a variable', async t => {
  const around = faultsOf(t, {
    targets: { 0: { auth: { chap } } },
    discovery: [{ auth: { chap } }],
    admin: { token: SECRET },
  })
  t.equal(around.length, 2)
  t.notMatch(around.join(), /kept-to/)
  const variables = faultsOf(t, {}, { SCSIPUB_TARGETS: `[{"secret":"${SECRET}"`, SCSIPUB_DISCOVERY_AUTH: SECRET })
  t.match(variables, [/^SCSIPUB_TARGETS .* must be json$/, /^SCSIPUB_DISCOVERY_AUTH .* must be json$/])
})

t.test('one secret may serve several targets, and one side of several', async t => {
  const auth = { chap: { ...chap, mutual: { user: 'x', secret: OTHER } } }
  const targets = ['a', 'b'].map(name => ({ name, auth, luns }))
  t.same(faultsOf(t, { targets, discovery: { auth } }), [])
})

t.test('a redirection is for now unless told, and needs no LUNs', async t => {
  const targets = [
    { name: 'a', auth: 'none', redirect: { to: '192.0.2.1:3260' } },
    { name: 'b', auth: { chap }, redirect: { to: '[2001:db8::1]:3261', permanent: true }, luns },
  ]
  t.same(loadConfig({ path: write(t, { targets }), env: {} }).targets, [
    { name: 'a', auth: 'none', luns: [], redirect: { to: { host: '192.0.2.1', port: 3260 }, permanent: false } },
    { name: 'b', auth: { chap }, luns, redirect: { to: { host: '2001:db8::1', port: 3261 }, permanent: true } },
  ])
})

t.test('SCSIPUB_DISCOVERY_AUTH is JSON', async t => {
  const config = loadConfig({ env: { SCSIPUB_DISCOVERY_AUTH: JSON.stringify({ chap }) } })
  t.same(config.discovery, { auth: { chap } })
})
