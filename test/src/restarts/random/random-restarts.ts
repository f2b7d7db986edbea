// A run: the real server under loads of several kinds, while one thing after the other is done to it. Nothing is lost, nobody is cut off but where the table of failures says so, pings
// are answered, and in the end nothing is left over. The seed decides what is done and in which order; the initiators and the machine add chance of their own.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Dice } from '../../chaos/dice.js'
import { ChaosFault } from '../../chaos/faults.js'
import { LiveGuest } from '../../harness/live-guest.js'
import type { Action } from './action.js'
import { ACTIONS } from './actions.js'
import { Breaks } from './breaks.js'
import { Echo } from './echo.js'
import { type Fleet, fleetOf } from './fleet.js'
import { type Held, heldBy, untilNoMoreHeld } from './held.js'
import { endInOrder } from './last-orders.js'
import type { PingLane } from './ping-lane.js'
import type { RestartedServer } from './restarted-server.js'
import { type Stage, setUp, WORKERS } from './stage.js'

/** Until every load has begun, on a busy machine. */
const BEGUN_MS = 180_000
/** Until the server has seen that all initiators are gone. */
const GONE_MS = 180_000
const NOTHING = 'nothing'

export interface RandomRestartsOptions {
  readonly seed: number
  readonly seconds: number
  /** It goes on for longer until so many things have been done. */
  readonly atLeast?: number
  /** An existing folder; what a fault needs is left there. */
  readonly scratch: string
  /** Takes a line for each thing that is done. */
  readonly progress?: (line: string) => void
  /** All that there are unless told. */
  readonly actions?: readonly Action[]
  /** With a Linux guest among the initiators. */
  readonly guest?: boolean
}

export interface RandomRestartsResult {
  readonly before: Held
  readonly after: Held
  /** How often each action was done. */
  readonly done: ReadonlyMap<string, number>
  /** What each load did, by its name. */
  readonly loads: ReadonlyMap<string, number>
  /** The longest ping in ms, by what was done meanwhile. */
  readonly pingsMs: ReadonlyMap<string, number>
  /** All of it in words. */
  readonly lines: readonly string[]
}

/** @throws ChaosFault for the first thing that is not as it has to be */
export async function randomRestarts(options: RandomRestartsOptions): Promise<RandomRestartsResult> {
  const guest = options.guest ? await LiveGuest.boot('restless') : undefined
  const stage = await setUp(options.scratch)
  const echo = await Echo.start()
  try {
    return await play({ stage, echo, guest }, options)
  } catch (error) {
    const lines = [...stage.server.log.map(line => JSON.stringify(line)), ...stage.server.complaints]
    writeFileSync(join(options.scratch, 'server.log'), lines.join('\n'))
    if (guest) writeFileSync(join(options.scratch, 'guest.log'), guest.console)
    throw new ChaosFault(`restarts, seed ${options.seed}`, [(error as Error).message], options.scratch)
  } finally {
    await guest?.end()
    echo.stop()
    await stage.server.kill()
  }
}

interface Props {
  readonly stage: Stage
  readonly echo: Echo
  readonly guest: LiveGuest | undefined
}

async function play({ stage, echo, guest }: Props, options: RandomRestartsOptions): Promise<RandomRestartsResult> {
  const { server, dataDir, configFile } = stage
  const { seed, seconds, atLeast = 0, progress = () => {}, actions = ACTIONS } = options
  const dice = new Dice(seed)
  let doing = NOTHING
  const breaks = new Breaks()
  const mayBreak = actions.some(action => action.breaks)
  const fleet = fleetOf({ stage, breaks, echo, guest, mayBreak, dice: dice.fork(), doing: () => doing })
  await use(fleet, breaks, async () => {
    assert.equal((await server.operator('POST /workers/restart')).status, 200)
  })
  await nobodyThere(server)
  const before = await heldBy(server, dataDir)

  const done = new Map<string, number>()
  await use(fleet, breaks, async () => {
    const chosen = new ActionBag(actions, dice.fork())
    const own = dice.fork()
    const end = performance.now() + seconds * 1000
    for (let number = 0; (performance.now() < end || number < atLeast) && !breaks.fault; number++) {
      await setTimeout(own.between(100, 1200))
      const action = chosen.next()
      doing = action.name
      const what = await action.run({ server, configFile, dice: own, breaks, workers: WORKERS })
      doing = NOTHING
      done.set(action.name, (done.get(action.name) ?? 0) + 1)
      progress(`${action.name}: ${what}`)
    }
  })
  progress('all loads have ended')
  await nobodyThere(server)
  const after = await untilNoMoreHeld(server, dataDir, before)
  progress('nothing is left over')
  assert.deepEqual(unexpected(server, breaks), [], 'lines of the log that tell of a fault')
  await endInOrder(stage)
  const loads = new Map(fleet.lanes.map(lane => [lane.name, lane.done]))
  const result = { before: before.held, after: after.held, done, loads, pingsMs: fleet.pings.longestMs }
  return { ...result, lines: [...report(result, breaks), ...pingReport(fleet.pings)] }
}

/** Runs the loads while `act` acts. @throws the first fault of either */
async function use(fleet: Fleet, breaks: Breaks, act: () => Promise<void>): Promise<void> {
  const running = fleet.lanes.map(lane => lane.run().catch((error: Error) => breaks.fail(error)))
  try {
    await Promise.race([begun(fleet).then(act), breaks.failed])
  } finally {
    for (const lane of fleet.lanes) lane.stop()
    await Promise.all(running)
  }
  if (breaks.fault) throw breaks.fault
}

/** Every load has done something more. */
async function begun({ lanes }: Fleet): Promise<void> {
  const before = lanes.map(lane => lane.done)
  for (const end = performance.now() + BEGUN_MS; lanes.some((lane, index) => lane.done === before[index]); ) {
    const waiting = lanes.filter((lane, index) => lane.done === before[index]).map(({ name }) => name)
    if (performance.now() > end) throw new Error(`loads that do not begin: ${waiting.join(', ')}`)
    await setTimeout(20)
  }
}

/** Each action once, in an order of chance, before any comes again; one that has to rest is left for later. */
class ActionBag {
  readonly #actions: readonly Action[]
  readonly #dice: Dice
  #left: Action[] = []
  readonly #lastMs = new Map<number, number>()

  constructor(actions: readonly Action[], dice: Dice) {
    this.#actions = actions
    this.#dice = dice
  }

  next(): Action {
    if (this.#left.length === 0) this.#left = [...this.#actions]
    const ready = this.#left.filter(({ restMs = 0 }) => performance.now() >= (this.#lastMs.get(restMs) ?? 0))
    // There is always something that needs no rest.
    const action = this.#dice.pick(
      ready.length > 0 ? ready : this.#actions.filter(({ restMs }) => restMs === undefined),
    )
    this.#left = this.#left.filter(one => one !== action)
    // What has the same rest is of one kind.
    if (action.restMs !== undefined) this.#lastMs.set(action.restMs, performance.now() + action.restMs)
    return action
  }
}

/** All sessions have ended, as the server has it. */
async function nobodyThere(server: RestartedServer): Promise<void> {
  for (const end = performance.now() + GONE_MS; performance.now() < end; ) {
    const { body } = await server.operator('GET /workers')
    if (body.sessions === 0 && body.connections === 0) return
    await setTimeout(50)
  }
  throw new Error('sessions whose initiators are gone do not end')
}

const ERRORS: ReadonlySet<string | number> = new Set(['error', 'fatal', 50, 60])
/** What a thread that was ended on purpose leaves in the log. */
const EXPECTED = /^(engine\.died|worker\.died|worker\.failed)$/

/** What a new process that finds a wrong configuration says to whoever has started it. */
const TOLD = /config\.json: workers must be/

function unexpected(server: RestartedServer, breaks: Breaks): string[] {
  const faults = server.log.filter(({ level, event = '' }) => ERRORS.has(level) && !EXPECTED.test(event))
  // No connection has ended but those of dead workers, and of leases whose owner has removed them.
  const cut = server.log.filter(({ event = '', outcome, remote, why }) => {
    const dropped = /^(session|connection)\.ended$/.test(event) && outcome === 'dropped'
    return dropped && !breaks.wasInDeadWorker(portOf(remote)) && !/^lease \w+ is evicted$/.test(String(why))
  })
  return [...faults, ...cut]
    .map(line => JSON.stringify(line))
    .concat(server.complaints.filter(line => !TOLD.test(line)))
}

function portOf(address: unknown): number {
  return Number(String(address).split(':').at(-1))
}

function report(
  { before, after, done, loads, pingsMs }: Omit<RandomRestartsResult, 'lines'>,
  breaks: Breaks,
): string[] {
  const names = Object.keys(before) as (keyof Held)[]
  return [
    ...[...done].map(([name, count]) => `${count} × ${name}; longest ping meanwhile ${ms(pingsMs.get(name) ?? 0)}`),
    `between them the longest ping took ${ms(pingsMs.get(NOTHING) ?? 0)}`,
    [...loads].map(([name, count]) => `${name} ${count}`).join(', '),
    `sessions in workers that died: ${breaks.wentOn} went on, on the same connections; ${breaks.lost} had to log in again`,
    `ends of connections, and logins that failed, where they may: ${breaks.allowed.length}`,
    `held before → after: ${names.map(name => `${name} ${before[name]} → ${after[name]}`).join(', ')}`,
  ]
}

function pingReport(pings: PingLane): string[] {
  const of = (percent: number) => ms(pings.percentile(percent))
  return [
    `pings: half within ${of(50)}, 99 of 100 within ${of(99)}, 999 of 1000 within ${of(99.9)}, the longest ${of(100)}; the longest echo ${ms(pings.longestEchoMs)}`,
    ...pings.late.map(
      ({ what, pingMs, echoMs }) =>
        `longer than a second: ${ms(pingMs)} during "${what}", an echo beside it ${ms(echoMs)}`,
    ),
  ]
}

const ms = (value: number): string => `${Math.round(value)} ms`
