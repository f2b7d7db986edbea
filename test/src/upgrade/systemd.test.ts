// The service manager's side, played: what systemd hears of a real server at its start, an upgrade, a hang and its end, and sockets that systemd has opened. The unit files are
// judged by systemd's own tool.

import { closeSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { receiveDescriptors, receiverOfDatagrams } from '@scsipub/posix'
import { Initiator } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { runProgram } from '../harness/run-program.js'
import { type UpgradableServer, withUpgradableServer } from '../harness/upgradable-server.js'
import { BLANK, BLOCK, content, portal, until } from '../protocol/lab.js'
import { ROOT } from '../repository.js'

/** systemd's end of NOTIFY_SOCKET. */
class Manager {
  readonly path: string
  readonly heard: string[] = []
  readonly #socket: number
  readonly #timer: NodeJS.Timeout

  constructor(t: Test) {
    const folder = mkdtempSync(join(tmpdir(), 'scsipub-notify-'))
    this.path = join(folder, 'notify')
    this.#socket = receiverOfDatagrams(this.path)
    this.#timer = setInterval(() => this.#take(), 5)
    t.teardown(() => {
      clearInterval(this.#timer)
      closeSync(this.#socket)
      rmSync(folder, { recursive: true })
    })
  }

  /** Main process by what was said last. */
  get mainPid(): number {
    const last = this.heard.findLast(text => text.includes('MAINPID='))
    return Number(/MAINPID=(\d+)/.exec(last ?? '')?.[1])
  }

  get signs(): number {
    return this.heard.filter(text => text === 'WATCHDOG=1').length
  }

  #take(): void {
    for (let next = receiveDescriptors(this.#socket); next; next = receiveDescriptors(this.#socket))
      this.heard.push(next.message.toString())
  }
}

await t.test('a start, an upgrade and a stop are told, with the process that serves [sd_notify(3)]', async t => {
  const manager = new Manager(t)
  await withUpgradableServer(t, { env: { NOTIFY_SOCKET: manager.path } }, async server => {
    await until('readiness is told', () => manager.heard.length > 0)
    t.match(manager.heard[0], new RegExp(`^READY=1\nMAINPID=${server.pid()}\nSTATUS=serving 2 targets on 127`))
    const before = server.pid()
    t.equal((await server.upgrade()).status, 200)
    await until('the new main process is told', () => manager.mainPid !== before)
    t.equal(manager.mainPid, server.pid())
    t.equal(manager.heard.length, 2)
  })
  await until('the stop is told', () => /^STOPPING=1\n/.test(manager.heard.at(-1)!))
})

await t.test(
  'signs of life go on over an upgrade, and end when the process stands still [sd_watchdog_enabled(3)]',
  async t => {
    const manager = new Manager(t)
    const env = { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: '600000' }
    await withUpgradableServer(t, { env }, async server => {
      await until('signs of life come', () => manager.signs > 2)
      t.equal((await server.upgrade()).status, 200)
      const before = manager.signs
      await until('and go on from the new process', () => manager.signs > before + 2)
      process.kill(server.pid(), 'SIGSTOP')
      await setTimeout(300)
      const last = manager.signs
      await setTimeout(1_000)
      t.equal(manager.signs, last, 'none while it stands still')
      process.kill(server.pid(), 'SIGCONT')
      await until('it goes on', () => manager.signs > last)
    })
  },
)

/** A server on sockets that were opened before it: as systemd starts it, from a shell that knows its own process id. */
async function withSockets(t: Test, use: (server: UpgradableServer, port: number) => Promise<void>): Promise<void> {
  const listeners = ['iscsi', 'http'].map(() => createServer())
  t.teardown(() => {
    for (const listener of listeners) listener.close()
  })
  for (const listener of listeners)
    await new Promise<void>(resolve => listener.listen({ host: '127.0.0.1', port: 0 }, resolve))
  const [iscsi] = listeners.map(listener => (listener.address() as { port: number }).port)
  const fds = listeners.map(listener => (listener as unknown as { _handle: { fd: number } })._handle.fd)
  const env = { LISTEN_FDS: '2', LISTEN_FDNAMES: 'iscsi:http' }
  await withUpgradableServer(t, { env, descriptors: fds, activated: true }, async server => {
    for (const listener of listeners) listener.close() // ours, which would accept too
    await use(server, iscsi!)
  })
}

await t.test(
  'sockets of the service manager are listened on, before and after an upgrade [sd_listen_fds(3)]',
  async t => {
    await withSockets(t, async (server, port) => {
      t.equal(server.port, port)
      const disk = await Initiator.login(portal(server), { target: BLANK })
      await disk.write(0, content(BLOCK, 4))
      t.match(await server.upgrade(), { status: 200, body: { moved: 1 } })
      t.same(await disk.read(0, 1), content(BLOCK, 4))
      await (await Initiator.login(portal(server), { target: BLANK })).logout()
      await disk.logout()
    })
  },
)

await t.test('the unit files are ones that systemd takes', async t => {
  const folder = join(ROOT, 'supervisor/systemd')
  const units = ['scsipub.service', 'scsipub-iscsi.socket', 'scsipub-http.socket'].map(name => join(folder, name))
  const { code, stdout, stderr } = await runProgram('systemd-analyze', ['verify', '--man=no', ...units])
  t.equal(stdout + stderr, '')
  t.equal(code, 0)
})
