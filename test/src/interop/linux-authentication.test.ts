// A stock Linux initiator that has to prove who it is: CHAP one way and in both directions with each of the four algorithms,
// for discovery as well, and a login that is sent on to another server.

import { freePort } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { type GuestRun, HOST_IN_GUEST, runGuest } from '../harness/guest.js'
import { iqn, withServer } from '../harness/server.js'
import { until } from '../protocol/lab.js'

const ALGORITHMS = ['MD5', 'SHA1', 'SHA256', 'SHA3-256']
const ONE_WAY = { user: 'lab', secret: 'one-way secret 1' }
const MUTUAL = { user: 'shop', secret: 'initiator secret', mutual: { user: 'server', secret: 'the target secret' } }
const DISCOVERY = { user: 'finder', secret: 'discovery secret' }

const luns = [{ sizeBytes: 16 << 20 }]

/** The configuration of the server that everybody asks first; `elsewhere` is another one's portal. */
const config = (portal: string, elsewhere: string) => ({
  advertise: { iscsi: portal },
  discovery: { auth: { chap: DISCOVERY } },
  targets: [
    { name: 'one-way', auth: { chap: ONE_WAY }, luns },
    { name: 'mutual', auth: { chap: MUTUAL }, luns },
    { name: 'moved', auth: 'none', luns, redirect: { to: elsewhere } },
  ],
})

const refusal = 24

function script(portal: string): string {
  const node = (name: string) => `iscsiadm -m node -T ${iqn(name)} -p ${portal}`
  const set = (record: string, key: string, value: string) => `${record} -o update -n ${key} -v '${value}' > /dev/null`
  const credentials = (name: string, { user, secret }: { user: string; secret: string }, suffix = '') => [
    set(node(name), `node.session.auth.username${suffix}`, user),
    set(node(name), `node.session.auth.password${suffix}`, secret),
  ]
  const discovery = `iscsiadm -m discoverydb -t sendtargets -p ${portal}`
  return `
step discovery-without ${discovery} --discover
${discovery} -o new > /dev/null 2>&1
${set(discovery, 'discovery.sendtargets.auth.authmethod', 'CHAP')}
${set(discovery, 'discovery.sendtargets.auth.username', DISCOVERY.user)}
${set(discovery, 'discovery.sendtargets.auth.password', 'another secret!!')}
step discovery-wrong ${discovery} --discover
${set(discovery, 'discovery.sendtargets.auth.password', DISCOVERY.secret)}
step discovery ${discovery} --discover

step without ${node('one-way')} --login
${set(node('one-way'), 'node.session.auth.authmethod', 'CHAP')}
${credentials('one-way', { ...ONE_WAY, secret: 'not that secret!' }).join('\n')}
step wrong ${node('one-way')} --login
${credentials('one-way', ONE_WAY).join('\n')}
for a in ${ALGORITHMS.join(' ')}; do
  ${set(node('one-way'), 'node.session.auth.chap_algs', '$a').replaceAll("'", '')}
  step one-way-$a ${node('one-way')} --login
  d=$(disk :one-way 0)
  step one-way-$a-write dd if=/dev/urandom of=$d bs=64k count=4 oflag=direct conv=notrunc
  udevadm settle
  step one-way-$a-out ${node('one-way')} --logout
done

${set(node('mutual'), 'node.session.auth.authmethod', 'CHAP')}
${credentials('mutual', MUTUAL).join('\n')}
step skipped ${node('mutual')} --login
${credentials('mutual', { ...MUTUAL.mutual, secret: 'of another target' }, '_in').join('\n')}
step wrong-target ${node('mutual')} --login
${credentials('mutual', MUTUAL.mutual, '_in').join('\n')}
for a in ${ALGORITHMS.join(' ')}; do
  ${set(node('mutual'), 'node.session.auth.chap_algs', '$a').replaceAll("'", '')}
  step mutual-$a ${node('mutual')} --login
  disk :mutual 0 > /dev/null
  udevadm settle
  step mutual-$a-out ${node('mutual')} --logout
done

step moved ${node('moved')} --login
d=$(disk :moved 0)
step moved-session iscsiadm -m session -P 1
step moved-read dd if=$d of=/dev/null bs=64k count=4 iflag=direct
udevadm settle
step moved-out iscsiadm -m session --logout
exit 0
`
}

t.test('Linux initiator: authentication and redirection', async t => {
  const [port, other] = [await freePort(), await freePort()]
  const portal = `${HOST_IN_GUEST}:${port}`
  const elsewhere = `${HOST_IN_GUEST}:${other}`
  await t.test('with two servers', async t => {
    await withServer(t, { port: other, config: { targets: [{ name: 'moved', auth: 'none', luns }] } }, async second => {
      await t.test('the first one asks for passwords', async t => {
        await withServer(t, { port, config: config(portal, elsewhere) }, async () => {
          const run = await runGuest(script(portal))
          t.equal(run.exit, 0, 'the guest came to its end')
          discovery(t, run, portal)
          logins(t, run)
          const session = run.steps.get('moved-session')?.output ?? ''
          t.match(
            session,
            `Current Portal: ${elsewhere},1`,
            'the initiator follows to the other server [7143 §11.13.5]',
          )
          t.match(session, `Persistent Portal: ${portal}`)
          succeeded(t, run, ['moved', 'moved-read', 'moved-out'])
          if (!t.passing()) t.comment(`guest:\n${run.output}\n${run.console}`)
        })
      })
      const opened = () => second.log.filter(({ event }) => event === 'session.opened').map(line => line.target)
      await until('a session at the other server', () => opened().length > 0)
      t.same(opened(), [iqn('moved')], 'and has its session there')
    })
  })
})

function succeeded(t: Test, run: GuestRun, names: readonly string[]): void {
  for (const name of names)
    t.equal(run.steps.get(name)?.code, 0, `${name} succeeds`, { output: run.steps.get(name)?.output })
}

function discovery(t: Test, run: GuestRun, portal: string): void {
  for (const name of ['discovery-without', 'discovery-wrong']) {
    t.equal(run.steps.get(name)?.code, refusal, `${name} is refused [7143 §11.13.5]`)
    t.notMatch(run.steps.get(name)?.output, /iqn/, `${name} learns of no target`)
  }
  const targets = run.steps.get('discovery')?.output.split('\n').toSorted()
  const names = ['blank', 'moved', 'multi', 'mutual', 'one-way']
  t.same(
    targets,
    names.map(name => `${portal},1 ${iqn(name)}`),
    'discovery with the right secret',
  )
}

function logins(t: Test, run: GuestRun): void {
  for (const name of ['without', 'wrong', 'skipped', 'wrong-target']) {
    const step = run.steps.get(name)
    t.not(step?.code, 0, `${name}: no session`)
    t.match(step?.output, /authorization failure|login failure/, `${name}: refused`)
  }
  for (const algorithm of ALGORITHMS) {
    const oneWay = `one-way-${algorithm}`
    succeeded(t, run, [oneWay, `${oneWay}-write`, `${oneWay}-out`, `mutual-${algorithm}`, `mutual-${algorithm}-out`])
  }
}
