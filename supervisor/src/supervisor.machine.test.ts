/** The life of the server as a table: from × event → target, and the actions that run on the way. */
import t from 'tap'
import { createActor, fromPromise, SimulatedClock } from 'xstate'
import { NobodyServes, type SupervisorEvent, supervisorMachine } from './supervisor.machine.js'

type Task = 'startParts' | 'drainSessions' | 'closeParts' | 'prepareHeir' | 'handOver' | 'leave'
/** Fails so that this process cannot go on either. */
type Loss = 'handOver loses'
type Step = SupervisorEvent['type'] | Task | `${Task} fails` | Loss | number

/** Plays steps on the machine: an event, an actor that is done or fails, or milliseconds that pass. */
async function play(steps: readonly Step[], mayLeave = false) {
  const done = new Map<string, { resolve: () => void; reject: (error: Error) => void }>()
  const actions: string[] = []
  const clock = new SimulatedClock()
  const task = (name: string) =>
    fromPromise<void>(() => new Promise((resolve, reject) => done.set(name, { resolve, reject })))
  const note = (name: string) => () => void actions.push(name)
  const actor = createActor(
    supervisorMachine.provide({
      actors: {
        startParts: task('startParts'),
        drainSessions: task('drainSessions'),
        closeParts: task('closeParts'),
        prepareHeir: task('prepareHeir'),
        handOver: task('handOver'),
        leave: task('leave'),
      },
      actions: {
        announce: note('announce'),
        stopAccepting: note('stopAccepting'),
        cutSessions: note('cutSessions'),
        reloadCatalog: note('reloadCatalog'),
        logStop: note('logStop'),
        logFailure: note('logFailure'),
        upgradeFailed: (_, { error }) => void actions.push(`upgradeFailed(${(error as Error).message})`),
        passStopOn: note('passStopOn'),
        refuseUpgrade: (_, why) => void actions.push(`refuseUpgrade(${why})`),
      },
      guards: { mayLeave: () => mayLeave },
    }),
    { clock },
  )
  actor.start()
  for (const step of steps) {
    if (typeof step === 'number') clock.increment(step)
    else if (step.includes('.')) actor.send({ type: step, why: 'told' } as unknown as SupervisorEvent)
    else {
      const [name = '', fails] = step.split(' ')
      const settle = done.get(name)
      if (fails) settle?.reject(fails === 'loses' ? new NobodyServes('no luck') : new Error('no luck'))
      else settle?.resolve()
    }
    await new Promise(resolve => setImmediate(resolve))
  }
  const { value, context } = actor.getSnapshot()
  actor.stop()
  return { state: value, failure: context.failure, actions: actions.join(' ') }
}

const serving: Step[] = ['startParts']
const draining: Step[] = [...serving, 'stop.requested']
const closing: Step[] = [...draining, 'drainSessions']
const preparing: Step[] = [...serving, 'upgrade.requested']
const handing: Step[] = [...preparing, 'prepareHeir']
const leaving: Step[] = [...handing, 'handOver']
const table: [from: Step[], event: Step, state: unknown, actions: string, failure?: string][] = [
  [[], 'startParts', 'serving', 'announce'],
  [[], 'startParts fails', 'failed', 'logFailure', 'no luck'],
  [[], 'part.failed', 'failed', 'logFailure', 'told'],
  [[], 'stop.requested', 'starting', ''],
  [[], 'reload.requested', 'starting', ''],
  [['stop.requested'], 'startParts', { draining: 'waiting' }, 'stopAccepting'],
  [serving, 'reload.requested', 'serving', 'announce reloadCatalog'],
  [serving, 'part.failed', 'failed', 'announce logFailure', 'told'],
  [serving, 'stop.requested', { draining: 'waiting' }, 'announce logStop stopAccepting'],
  [draining, 'stop.requested', { draining: 'waiting' }, 'announce logStop stopAccepting'],
  [draining, 'reload.requested', { draining: 'waiting' }, 'announce logStop stopAccepting'],
  [draining, 'drainSessions', 'closing', 'announce logStop stopAccepting'],
  [draining, 'drainSessions fails', 'failed', 'announce logStop stopAccepting logFailure', 'no luck'],
  [draining, 'part.failed', 'failed', 'announce logStop stopAccepting logFailure', 'told'],
  [draining, 11_999, { draining: 'waiting' }, 'announce logStop stopAccepting'],
  [draining, 12_000, { draining: 'cut' }, 'announce logStop stopAccepting cutSessions'],
  [[...draining, 12_000], 'drainSessions', 'closing', 'announce logStop stopAccepting cutSessions'],
  [[...draining, 12_000], 2_000, 'closing', 'announce logStop stopAccepting cutSessions'],
  [closing, 'stop.requested', 'closing', 'announce logStop stopAccepting'],
  [closing, 'closeParts', 'stopped', 'announce logStop stopAccepting'],
  [closing, 'closeParts fails', 'failed', 'announce logStop stopAccepting logFailure', 'no luck'],
  [closing, 'part.failed', 'failed', 'announce logStop stopAccepting logFailure', 'told'],
  [closing, 30_000, 'failed', 'announce logStop stopAccepting logFailure', 'the storage engine did not close in time'],
  [[], 'upgrade.requested', 'starting', 'refuseUpgrade(starting)'],
  [serving, 'upgrade.requested', 'preparing', 'announce'],
  [preparing, 'prepareHeir', 'handingOver', 'announce'],
  [preparing, 'prepareHeir fails', 'serving', 'announce upgradeFailed(no luck)'],
  [preparing, 'upgrade.requested', 'preparing', 'announce refuseUpgrade(upgrading)'],
  [preparing, 'reload.requested', 'preparing', 'announce reloadCatalog'],
  [preparing, 'part.failed', 'failed', 'announce logFailure', 'told'],
  [
    preparing,
    'stop.requested',
    { draining: 'waiting' },
    'announce logStop upgradeFailed(the server is told to stop) stopAccepting',
  ],
  [handing, 'handOver', 'leaving', 'announce'],
  [handing, 'handOver fails', 'serving', 'announce upgradeFailed(no luck)'],
  [handing, 'handOver loses', 'failed', 'announce logFailure', 'no luck'],
  [handing, 'stop.requested', 'handingOver', 'announce'],
  [handing, 'upgrade.requested', 'handingOver', 'announce refuseUpgrade(upgrading)'],
  [[...handing, 'stop.requested'], 'handOver', 'leaving', 'announce passStopOn'],
  [
    [...handing, 'stop.requested'],
    'handOver fails',
    { draining: 'waiting' },
    'announce upgradeFailed(no luck) stopAccepting',
  ],
  [[...handing, 'handOver fails'], 'upgrade.requested', 'preparing', 'announce upgradeFailed(no luck)'],
  [leaving, 'leave', 'handedOver', 'announce'],
  [leaving, 'leave fails', 'handedOver', 'announce'],
  [leaving, 'stop.requested', 'leaving', 'announce passStopOn'],
  [leaving, 5_000, 'handedOver', 'announce'],
  [draining, 'upgrade.requested', { draining: 'waiting' }, 'announce logStop stopAccepting refuseUpgrade(stopping)'],
  [closing, 'upgrade.requested', 'closing', 'announce logStop stopAccepting refuseUpgrade(stopping)'],
]
t.test('a process that an upgrade has started, and that has nothing yet, stops at once', async t => {
  t.same(await play(['stop.requested'], true), { state: 'stopped', failure: undefined, actions: '' })
})

for (const [from, event, state, actions, failure] of table) {
  t.test(`after [${from.join(', ')}]: ${event} → ${JSON.stringify(state)}`, async t => {
    t.same(await play([...from, event]), { state, failure, actions })
  })
}
