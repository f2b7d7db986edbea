/** Who is told that the LUNs of a target change, when, and what is waited for. The other end of a worker's port is the test. */
import { EventEmitter, once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import type { LunsNotice } from '@scsipub/contract'
import t, { type Test } from 'tap'
import { LunChange } from './lun-change.js'
import type { HostedConnection, Session } from './session-host.js'
import { WorkerLife } from './worker-life.js'

const TARGET = 'iqn.x:lab'
/** Of a session that has not logged in. */
const NOT_YET = ''

/** A worker whose thread is an emitter, and what it is told. */
function workerOf(t: Test) {
  const [supervisor, engine] = [new MessageChannel(), new MessageChannel()]
  const thread = new EventEmitter()
  const ready = {
    kind: 'worker.ready' as const,
    slot: 0,
    threadId: 1,
    taskId: 1,
    supervisorPort: supervisor.port2,
    enginePort: engine.port2,
    mappings: new SharedArrayBuffer(16),
  }
  const life = new WorkerLife(ready, thread as unknown as Worker)
  const far: MessagePort = supervisor.port1
  t.teardown(() => {
    supervisor.port1.close()
    engine.port1.close()
  })
  const next = async () => ((await once(far, 'message')) as [LunsNotice])[0]
  return { life, next, die: () => thread.emit('exit') }
}

function lab(t: Test) {
  const sessions = new Map<number, Session>()
  const lines: object[] = []
  const hosts = {
    session: (id: number) => sessions.get(id),
    sessionsOf: (target: string) => [...sessions.values()].filter(({ login }) => login?.target === target),
  }
  const luns = new LunChange({ hosts: () => hosts, log: { info: (line: object) => void lines.push(line) } as never })
  const add = (id: number, worker: WorkerLife, target = TARGET) => {
    const login = target === NOT_YET ? undefined : { initiator: 'i', target, tsih: id }
    const connections = new Set([{ worker } as HostedConnection])
    const session = {
      id,
      connections,
      login,
      fault: undefined,
      peerAddress: '',
      volumeIds: [],
      waiting: undefined,
      moving: undefined,
    } as Session
    sessions.set(id, session)
    return session
  }
  return { luns, lines, add, sessions, worker: () => workerOf(t) }
}

/** Whether the promise has settled by the time that everything which can happen has happened. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let over = false
  void promise.finally(() => (over = true))
  for (let turn = 0; turn < 5; turn++) await setImmediate()
  return over
}

t.test('every session of the target is told, no other one, and all of them are waited for', async t => {
  const { luns, add, worker, lines } = lab(t)
  const [one, other] = [worker(), worker()]
  add(1, one.life)
  add(2, other.life)
  add(3, other.life, 'iqn.x:another')
  const change = luns.removeLuns(TARGET, [4, 7])
  const [a, b] = await Promise.all([one.next(), other.next()])
  t.match(a, { kind: 'session.luns', sessionId: 1, add: [], remove: [4, 7] })
  t.match(b, { sessionId: 2 })
  one.life.answered(a!.noticeId, {})
  t.notOk(await settled(change), 'one has not answered')
  other.life.answered(b!.noticeId, {})
  await change
  t.match(lines, [{ event: 'target.luns', target: TARGET, removed: [4, 7], sessions: 2 }])
})

t.test('a worker that dies meanwhile, or has died before, is not waited for', async t => {
  const { luns, add, worker } = lab(t)
  const dying = worker()
  add(1, dying.life)
  const change = luns.removeLuns(TARGET, [0])
  await dying.next()
  dying.die()
  await change
  await luns.removeLuns(TARGET, [1])
})

t.test('a login that has looked at the old disks is waited for and told; one that comes later is not', async t => {
  const { luns, add, worker } = lab(t)
  const home = worker()
  let answer = () => {}
  const early = luns.login(TARGET, 1, () => new Promise<void>(resolve => (answer = resolve)))
  const change = luns.removeLuns(TARGET, [5])
  const late = luns.login(TARGET, 2, async () => void add(2, home.life))
  await late
  t.notOk(await settled(change), 'the login may be opening the volume')
  add(1, home.life)
  answer()
  await early
  const notice = await home.next()
  t.match(notice, { sessionId: 1, remove: [5] })
  home.life.answered(notice.noticeId, {})
  await change
})

t.test('a login that fails is not told, and does not fail the change', async t => {
  const { luns, sessions, worker, add } = lab(t)
  add(1, worker().life, NOT_YET)
  const login = luns.login(TARGET, 1, () => Promise.reject(new Error('no disks')))
  const change = luns.removeLuns(TARGET, [5])
  await t.rejects(login, { message: 'no disks' })
  await change
  t.equal(sessions.get(1)?.login, undefined)
})

t.test('changes of a target come one after the other, those of another target at once', async t => {
  const { luns, add, worker } = lab(t)
  const [one, other] = [worker(), worker()]
  add(1, one.life)
  add(2, other.life, 'iqn.x:another')
  const first = luns.removeLuns(TARGET, [1])
  const second = luns.removeLuns(TARGET, [2])
  const elsewhere = luns.removeLuns('iqn.x:another', [1])
  const notice = await one.next()
  t.same(notice.remove, [1])
  other.life.answered((await other.next()).noticeId, {})
  await elsewhere
  t.notOk(await settled(second))
  const following = one.next()
  one.life.answered(notice.noticeId, {})
  await first
  const last = await following
  t.same(last.remove, [2])
  one.life.answered(last.noticeId, {})
  await second
})
