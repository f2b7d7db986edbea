/** The life of the server as a table: from × event → target, and the actions that run on the way. */
import t from 'tap'
import { createActor, fromPromise, SimulatedClock } from 'xstate'
import { type SupervisorEvent, supervisorMachine } from './supervisor.machine.js'

type Step =
  | SupervisorEvent['type']
  | 'startParts'
  | 'drainSessions'
  | 'closeParts'
  | `${'startParts' | 'drainSessions' | 'closeParts'} fails`
  | number

/** Plays steps on the machine: an event, an actor that is done or fails, or milliseconds that pass. */
async function play(steps: readonly Step[]) {
  const done = new Map<string, { resolve: () => void; reject: (error: Error) => void }>()
  const actions: string[] = []
  const clock = new SimulatedClock()
  const task = (name: string) =>
    fromPromise<void>(() => new Promise((resolve, reject) => done.set(name, { resolve, reject })))
  const note = (name: string) => () => void actions.push(name)
  const actor = createActor(
    supervisorMachine.provide({
      actors: { startParts: task('startParts'), drainSessions: task('drainSessions'), closeParts: task('closeParts') },
      actions: {
        announce: note('announce'),
        stopAccepting: note('stopAccepting'),
        cutSessions: note('cutSessions'),
        reloadCatalog: note('reloadCatalog'),
        logStop: note('logStop'),
        logFailure: note('logFailure'),
      },
    }),
    { clock },
  )
  actor.start()
  for (const step of steps) {
    if (typeof step === 'number') clock.increment(step)
    else if (step.includes('.')) actor.send({ type: step, why: 'told' } as SupervisorEvent)
    else {
      const [name = '', fails] = step.split(' ')
      const settle = done.get(name)
      if (fails) settle?.reject(new Error('no luck'))
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
]
for (const [from, event, state, actions, failure] of table) {
  t.test(`after [${from.join(', ')}]: ${event} → ${JSON.stringify(state)}`, async t => {
    t.same(await play([...from, event]), { state, failure, actions })
  })
}
