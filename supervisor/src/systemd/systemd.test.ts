/** What systemd says to a service and hears from it: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3). */
import { closeSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { receiveDescriptors, receiverOfDatagrams } from '@scsipub/posix'
import t from 'tap'
import { activatedSockets } from './activation.js'
import { ServiceManager } from './service-manager.js'
import { Watchdog, watchdogPeriodMs } from './watchdog.js'

const warnings: object[] = []
const log = { warn: (line: object) => void warnings.push(line) }

t.test('readiness, process id, stopping and signs of life are datagrams [sd_notify(3)]', async t => {
  const name = `@scsipub-systemd-${process.pid}`
  const socket = receiverOfDatagrams(name)
  const manager = new ServiceManager({ NOTIFY_SOCKET: name }, log)
  manager.ready('serving 2 targets')
  manager.stopping('SIGTERM')
  manager.alive()
  manager.status('upgrading')
  const heard = [1, 2, 3, 4].map(() => receiveDescriptors(socket)?.message.toString())
  t.same(heard, [
    `READY=1\nMAINPID=${process.pid}\nSTATUS=serving 2 targets`,
    'STOPPING=1\nSTATUS=SIGTERM',
    'WATCHDOG=1',
    'STATUS=upgrading',
  ])
  closeSync(socket)
  t.same(warnings, [])
  manager.alive()
  manager.alive()
  t.match(warnings, [{ event: 'systemd.unreachable', why: /ECONNREFUSED/ }], 'a manager that is away is warned of once')
})

t.test('without a socket, or with one of another kind, nobody is told', async t => {
  warnings.length = 0
  for (const socket of [undefined, '', 'vsock:2:1234', 'relative/path', '/'])
    new ServiceManager(socket === undefined ? {} : { NOTIFY_SOCKET: socket }, log).ready('x')
  t.same(warnings, [])
})

t.test('the watchdog is asked for by WATCHDOG_USEC, of this process [sd_watchdog_enabled(3)]', async t => {
  t.equal(watchdogPeriodMs({ WATCHDOG_USEC: '15000000' }), 15_000)
  t.equal(watchdogPeriodMs({ WATCHDOG_USEC: '15000000', WATCHDOG_PID: '7' }, 7), 15_000)
  t.equal(watchdogPeriodMs({ WATCHDOG_USEC: '15000000', WATCHDOG_PID: '8' }, 7), undefined)
  for (const text of ['', '0', '-1', 'soon']) t.equal(watchdogPeriodMs({ WATCHDOG_USEC: text }), undefined, text)
  t.equal(watchdogPeriodMs({}), undefined)
})

t.test('signs of life come in time while all is well, and end with the first look that does not answer', async t => {
  let signs = 0
  let answers = true
  const watchdog = new Watchdog(60, {
    isWell: () => (answers ? Promise.resolve(true) : new Promise(() => {})),
    alive: () => void signs++,
  })
  t.teardown(() => watchdog.close())
  while (signs < 4) await setTimeout(5)
  answers = false
  await setTimeout(100)
  const last = signs
  answers = true
  await setTimeout(200)
  t.equal(signs, last, 'what hangs once is not taken for well again')
})

t.test('a look that fails, or says no, is no sign of life; the next one may be', async t => {
  let signs = 0
  const verdicts: (() => Promise<boolean>)[] = [() => Promise.reject(new Error('gone')), () => Promise.resolve(false)]
  let looks = 0
  const watchdog = new Watchdog(30, {
    isWell: () => {
      looks++
      return (verdicts.shift() ?? (() => Promise.resolve(true)))()
    },
    alive: () => void signs++,
  })
  t.teardown(() => watchdog.close())
  while (signs === 0) await setTimeout(5)
  t.ok(looks >= 3)
})

t.test(
  'sockets come from descriptor 3 on, by name, and are taken out of the environment [sd_listen_fds(3)]',
  async t => {
    const env = { LISTEN_FDS: '2', LISTEN_PID: '7', LISTEN_FDNAMES: 'http:iscsi', HOME: '/' }
    t.same(activatedSockets(env, 7), { http: 3, iscsi: 4 })
    t.same(env, { HOME: '/' })
    t.same(activatedSockets({ LISTEN_FDS: '1', LISTEN_PID: '7', LISTEN_FDNAMES: 'iscsi' }, 7), { iscsi: 3 })
    t.same(activatedSockets({}, 7), {})
  },
)

t.test('sockets of another process are not touched; names that are wrong are told', async t => {
  t.same(activatedSockets({ LISTEN_FDS: '1', LISTEN_PID: '8', LISTEN_FDNAMES: 'iscsi' }, 7), {})
  const named =
    (names: string | undefined, count = '1') =>
    () =>
      activatedSockets({ LISTEN_FDS: count, LISTEN_PID: '7', ...(names !== undefined && { LISTEN_FDNAMES: names }) }, 7)
  t.throws(named('scsipub.socket'), /"scsipub.socket"; name it by FileDescriptorName=iscsi/)
  t.throws(named(undefined), /"unknown"/)
  t.throws(named('iscsi:iscsi', '2'), /two sockets named "iscsi"/)
})
