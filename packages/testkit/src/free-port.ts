/**
 * TCP ports of the loopback for what has to know its port before it listens, or comes back to it after a while; whoever else listens is given port 0.
 *
 * They are none that the system gives away by itself: it would give them to anybody while nobody listens there. And no other test is given
 * one as long as this process lives, which holds its number as the name of an abstract socket.
 */
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type ListenOptions, type Server } from 'node:net'

const FIRST = 10_000
/** So many there are at least, even where the system gives away lower ones than usual. */
const FEWEST = 10_000

/** A port that nobody listens on, and that nobody else is given. */
export async function freePort(): Promise<number> {
  const [givenAway = 0] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t').map(Number)
  for (;;) {
    const port = randomInt(FIRST, Math.max(givenAway, FIRST + FEWEST))
    if (await takePort(port)) return port
  }
}

/** Whether this one is free; it is given to nobody else then. */
export async function takePort(port: number): Promise<boolean> {
  const name = await listening({ path: `\0scsipub-port-${port}` })
  const there = name && (await listening({ host: '127.0.0.1', port }))
  if (!there) name?.close()
  name?.unref()
  if (there) await new Promise(resolve => there.close(resolve))
  return there !== undefined
}

function listening(where: ListenOptions): Promise<Server | undefined> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(where, () => resolve(server))
  })
}
