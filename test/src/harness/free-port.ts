// A TCP port of the loopback that nobody listens on. Only for what has to be known before the server starts, such as the
// address that it advertises; otherwise the server is given port 0.

import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
