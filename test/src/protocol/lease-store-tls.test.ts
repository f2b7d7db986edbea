// A state store that is reached by TLS: the certificate of its own CA is taken by NODE_EXTRA_CA_CERTS, any other one is not, and the log says what is wrong with it.

import { join } from 'node:path'
import { freePort, RedisServer, testFolder } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { CertificateAuthority } from '../harness/certificates.js'
import { type Server, withServer } from '../harness/server.js'
import { BLOCK, content, until, untilLogged } from './lab.js'
import { LEASE_CONFIG, logged, logIn, Tenant } from './lease-lab.js'

const folder = testFolder(t)
const own = await CertificateAuthority.make(join(folder, 'own'))
const other = await CertificateAuthority.make(join(folder, 'other'))
const certificates = {
  right: await own.issue('right', ['IP:127.0.0.1', 'DNS:localhost']),
  elsewhere: await own.issue('elsewhere', ['DNS:redis.example']),
  expired: await own.issue('expired', ['IP:127.0.0.1'], { days: 0 }),
}
const tlsPort = await freePort()
const PASSWORD = 'the password of a test'

async function redis(
  t: Test,
  name: keyof typeof certificates,
  more: Record<string, string> = {},
): Promise<RedisServer> {
  const { certificate, key } = certificates[name]
  const settings = {
    'tls-port': String(tlsPort),
    'tls-cert-file': certificate,
    'tls-key-file': key,
    'tls-ca-cert-file': own.certificate,
    'tls-auth-clients': 'no',
    ...more,
  }
  const server = await RedisServer.start({ folder: join(folder, 'redis'), password: PASSWORD, settings })
  t.teardown(() => server.stop())
  return server
}

const url = (host: string) => `rediss://:${encodeURIComponent(PASSWORD)}@${host}:${tlsPort}`
const configOf = (host: string) => ({ ...LEASE_CONFIG, state: { url: url(host) } })

/** Why the store cannot be used, as the log has said it so far. */
const toldBy = (server: Server) => logged(server, 'state.unavailable').map(line => String(line['why']))

await t.test('with its CA leases are kept there, over a restart of the server and of Redis', async t => {
  const server = await redis(t, 'right')
  const env = { NODE_EXTRA_CA_CERTS: own.certificate }
  const dataDir = testFolder(t)
  let tenant: Tenant | undefined
  await withServer(t, { config: configOf('127.0.0.1'), env, dataDir }, async scsipub => {
    tenant = await Tenant.make(scsipub)
    const lease = await tenant.lease(scsipub)
    const initiator = await logIn(scsipub, lease)
    await initiator.write(0, content(BLOCK, 1))
    await initiator.close()
    t.equal(await server.command('exists', `scsipub:1:leases:${lease.id}`), '1')
    await server.stop()
    await untilLogged(scsipub, 'state.unavailable')
    await server.start()
    await untilLogged(scsipub, 'state.available')
    await (await logIn(scsipub, lease)).close()
  })
  await withServer(t, { config: configOf('localhost'), env, dataDir }, async scsipub => {
    const { body } = await tenant!.ask<{ sessions: { id: string }[] }>(scsipub, 'GET /api/sessions')
    const lease = await tenant!.show(scsipub, body.sessions[0]!)
    const initiator = await logIn(scsipub, lease!)
    t.same(await initiator.read(0, 1), content(BLOCK, 1), 'by another name of the certificate')
    await initiator.close()
    t.notOk(JSON.stringify(scsipub.log).includes(PASSWORD))
  })
})

for (const [title, ca] of [
  ['no CA of its own', ''],
  ['the wrong CA', other.certificate],
] as const) {
  await t.test(`${title}: refused, and the log says so, once`, async t => {
    await redis(t, 'right')
    await withServer(t, { config: configOf('127.0.0.1'), env: { NODE_EXTRA_CA_CERTS: ca } }, async scsipub => {
      await untilLogged(scsipub, 'state.unavailable')
      t.match(toldBy(scsipub), [/^its certificate is signed by no authority that is trusted here \(see NODE_EXTRA_CA/])
      t.equal((await fetch(`${scsipub.api}/readyz`)).status, 503)
      t.notOk(JSON.stringify(scsipub.log).includes(PASSWORD))
    })
  })
}

await t.test('certificates that are changed under a running server: each fault is told, and it goes on', async t => {
  const env = { NODE_EXTRA_CA_CERTS: own.certificate }
  let running = await redis(t, 'right')
  await withServer(t, { config: configOf('127.0.0.1'), env }, async scsipub => {
    const lease = await (await Tenant.make(scsipub)).lease(scsipub)
    const faults: [why: RegExp, certificate: keyof typeof certificates, settings?: Record<string, string>][] = [
      [/^its certificate has expired$/, 'expired'],
      [/^its certificate is for another host$/, 'elsewhere'],
      [/^it demands a certificate of its clients/, 'right', { 'tls-auth-clients': 'yes' }],
    ]
    for (const [why, certificate, settings] of faults) {
      await running.stop()
      running = await redis(t, certificate, settings)
      await until(String(why), () => toldBy(scsipub).some(line => why.test(line)), {
        show: () => toldBy(scsipub).join(),
      })
      t.equal(toldBy(scsipub).filter(line => why.test(line)).length, 1, 'once')
    }
    const back = logged(scsipub, 'state.available').length
    await running.stop()
    await redis(t, 'right')
    await untilLogged(scsipub, 'state.available', back + 1)
    await (await logIn(scsipub, lease)).close()
  })
})
