import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { promisify } from 'node:util'
import t from 'tap'
import { freePort, takePort } from './free-port.js'

/** Ports as another process is given them, which has ended since. */
async function portElsewhere(): Promise<number> {
  const script = `import { freePort } from ${JSON.stringify(new URL('./free-port.js', import.meta.url).href)}
console.log(await freePort())`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
  return Number(stdout)
}

t.test('a port is given once, and nobody listens there', async t => {
  const port = await freePort()
  t.notOk(await takePort(port), 'it is given away')
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  server.close()
})

t.test('one that somebody listens on is not given', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.notOk(await takePort((server.address() as AddressInfo).port))
  server.close()
})

t.test('one of a process that has ended is free again', async t => {
  t.ok(await takePort(await portElsewhere()))
})
