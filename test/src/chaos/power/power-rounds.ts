// Rounds of power cuts. In each, the storage engine lives once, on what the last power cut left, and is perhaps killed and started again meanwhile; from the
// log of what it did to its files, states are made that a loss of power at some instants could have left. The next process opens them all. One is
// lived on; one of the others may be damaged besides.
//
//   round n    life ──▶ log ──▶ instants ──▶ states        round n+1    look at the states, live on the last one …

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Dice } from '../dice.js'
import { ChaosFault, type ChaosResult, type RoundsOptions } from '../faults.js'
import { BASE_TAG, dataOf } from '../sector-value.js'
import { damage } from './damage.js'
import { FileSystemModel, isFolder, type Tree } from './file-system-model.js'
import { type LifeMark, type LiveOrders, OTHER_IDS } from './life-messages.js'
import { type KillOrder, runLife } from './life-process.js'
import { POWER_DISKS } from './power-disks.js'
import { type LoggedRecord, readRecords } from './record-log.js'
import { StateLedger } from './state-ledger.js'
import { readTree, writeTree } from './tree-files.js'

/** States that are made from the log of one life. */
const STATES = 5
/** Records that come soon after an opening. */
const SOON = 100
/** So often a round begins with an empty disk again. */
const FRESH = 0.15
const EMPTY: Tree = new Map()

/** A state that a power cut left, and what has to be found in it. */
interface CutState {
  readonly what: string
  readonly tree: Tree
  readonly ledger: StateLedger
}

/** What a process did, and what was really there when it ended. */
interface Segment {
  readonly records: readonly LoggedRecord[]
  readonly tree: Tree
  readonly killed: boolean
}

export class PowerRounds {
  readonly #options: RoundsOptions
  readonly #basePath: string
  readonly #figures = { operations: 0, changes: 0, fileChanges: 0, states: 0, kills: 0, damaged: 0 }
  #nextId = BASE_TAG + 1
  #states: readonly CutState[] = [{ what: 'nothing', tree: EMPTY, ledger: new StateLedger() }]

  constructor(options: RoundsOptions) {
    this.#options = options
    this.#basePath = join(options.scratch, 'base')
    const { baseSectors } = POWER_DISKS.find(disk => disk.baseSectors > 0)!
    writeFileSync(this.#basePath, dataOf(BASE_TAG, 0, baseSectors))
  }

  /** @throws ChaosFault for the first round that found something wrong */
  async run(): Promise<ChaosResult> {
    const { rounds } = this.#options
    for (let round = 0; round < rounds; round++) await this.#round(round)
    await this.#lookAt(rounds, new Dice(this.#options.seed, rounds))
    return { rounds, figures: this.#figures }
  }

  async #round(round: number): Promise<void> {
    const { seed, scratch, progress } = this.#options
    const dice = new Dice(seed, round)
    const folder = join(scratch, `power-${round}`)
    const root = join(folder, 'disk')
    const log = join(folder, 'log')
    await this.#lookAt(round, dice)
    // The last life's log goes only now: a fault of its states cannot be understood without it.
    rmSync(join(scratch, `power-${round - 1}`), { recursive: true, force: true })
    mkdirSync(folder)
    const fresh = round === 0 || dice.chance(FRESH)
    const from = fresh ? { what: 'nothing', tree: EMPTY, ledger: new StateLedger() } : this.#states.at(-1)!
    writeTree(root, from.tree)
    const segments: Segment[] = []
    let read = 0
    for (let kills = dice.pick([0, 0, 0, 0, 1, 1, 1, 1, 1, 2]); ; kills--) {
      const live: LiveOrders = {
        dataDir: join(root, 'data'),
        dump: join(folder, `dump-${segments.length}`),
        bootId: `boot-${seed}-${round}`,
        seed: dice.below(2 ** 31),
        firstId: this.#nextId,
        operations: dice.between(20, 120),
        close: dice.chance(0.2),
      }
      const kill = kills > 0 ? { kill: chooseKill(dice) } : {}
      const how = await runLife({ basePath: this.#basePath, inspect: [], live }, { root, log, ...kill })
      const all = readRecords(log)
      segments.push({ records: all.slice(read), tree: readTree(root), killed: how === 'killed' })
      read = all.length
      this.#nextId += live.operations + OTHER_IDS
      if (how === 'ended') break
      this.#figures.kills++
    }
    this.#states = this.#cuts(round, dice, { root, folder, from, segments })
    progress?.(
      `power cut ${round}: ${read} records, ${segments.length} processes, states after ${this.#states.map(({ what }) => what).join(', ')}`,
    )
  }

  /** States that power cuts at some instants of a life could leave; the last one is lived on. */
  #cuts(
    round: number,
    dice: Dice,
    { root, folder, from, segments }: { root: string; folder: string; from: CutState; segments: readonly Segment[] },
  ): CutState[] {
    const records = segments.flatMap(segment => segment.records)
    const instants = chooseInstants(records, dice)
    const model = new FileSystemModel(root, from.tree)
    const ledger = from.ledger.copy()
    const states: CutState[] = []
    let at = 0
    let opened = 0
    for (const [index, segment] of segments.entries()) {
      for (const record of segment.records) {
        model.apply(record)
        if (record.op === 'mark') {
          const mark = record.mark as LifeMark
          if (mark.kind === 'opened')
            this.#opened(
              round,
              ledger,
              opened++ === 0 || !segments[index - 1]?.killed ? 'powerCut' : 'kill',
              mark.dump,
              folder,
            )
          else ledger.note(mark)
          if (mark.kind === 'begin') this.#figures.operations++
          if (mark.kind === 'changed' && mark.done) this.#figures.changes++
        } else this.#figures.fileChanges++
        const times = instants.filter(instant => instant === at).length
        for (let time = 0; time < times; time++) {
          const what = `${at} of ${records.length} records (${describe(record)})`
          states.push({ what, tree: model.afterPowerCut(dice), ledger: ledger.copy() })
        }
        at++
      }
      const different = model.overlay(segment.tree)
      // Whoever is killed may have a write under way that is not in the log yet.
      if (!segment.killed && different.length > 0)
        throw new ChaosFault(
          this.#name(round),
          ['the log does not say all that was done to the files:', ...different],
          folder,
        )
    }
    // Lived on is one of them, not always that of the last instant.
    states.push(...states.splice(dice.below(states.length), 1))
    return states
  }

  #opened(round: number, ledger: StateLedger, crash: 'kill' | 'powerCut', dump: string, folder: string): void {
    const faults = ledger.faults(crash, dump)
    if (faults.length > 0)
      throw new ChaosFault(`${this.#name(round)}, ${crash === 'kill' ? 'after SIGKILL' : 'lived on'}`, faults, folder)
    ledger.settle(crash, dump)
  }

  /** Opens the states of the last round, and one of them damaged. */
  async #lookAt(round: number, dice: Dice): Promise<void> {
    const folder = join(this.#options.scratch, `states-${round}`)
    mkdirSync(folder)
    const looks = this.#states.map((state, index) => ({
      state,
      root: join(folder, `${index}`),
      damaged: undefined as string | undefined,
      how: '',
    }))
    for (const { state, root } of looks) writeTree(root, state.tree)
    const { state } = dice.pick(looks)
    const victims = POWER_DISKS.filter(({ id }) => hasPath(state.tree, ['data', 'volumes', id]))
    if (victims.length > 0) {
      const root = join(folder, 'damaged')
      const damaged = dice.pick(victims).id
      writeTree(root, state.tree)
      looks.push({ state, root, damaged, how: damage(join(root, 'data/volumes', damaged), dice) })
      this.#figures.damaged++
    }
    const bootId = `boot-${this.#options.seed}-${round}-look`
    const inspect = looks.map(({ root }) => ({ dataDir: join(root, 'data'), dump: `${root}.dump`, bootId }))
    await runLife({ basePath: this.#basePath, inspect })
    for (const { state, root, damaged, how } of looks) {
      const faults = state.ledger.faults('powerCut', `${root}.dump`, damaged)
      const what = `${this.#name(round - 1)}, power cut after ${state.what}${damaged === undefined ? '' : `, ${damaged}: ${how}`}`
      if (faults.length > 0) throw new ChaosFault(what, faults, this.#options.scratch)
      this.#figures.states++
    }
    rmSync(folder, { recursive: true })
  }

  #name(round: number): string {
    return `power cut, seed ${this.#options.seed}, round ${round}`
  }
}

/** Indexes of records after which the power fails: half of them around what matters most, syncs, names and answers. */
function chooseInstants(records: readonly LoggedRecord[], dice: Dice): number[] {
  const indexes = (...kinds: LifeMark['kind'][]) =>
    [...records.keys()].filter(index => kinds.some(kind => markOf(records[index]!)?.kind === kind))
  const files = ['syncBegin', 'syncEnd', 'rename', 'truncate', 'remove']
  const turning = [
    ...indexes('end', 'reserved', 'opened'),
    ...[...records.keys()].filter(index => files.includes(records[index]!.op)),
  ]
  const changes = spansOfChanges(records)
  const opened = indexes('opened').at(-1)
  const choose = (_: unknown, index: number): number => {
    // What a killed process had not synced is most at risk when its successor has just begun.
    if (index === 0 && opened !== undefined) return Math.min(records.length - 1, opened + dice.below(SOON))
    // In the midst of a change of disks as a whole, or right after its answer; there are few of them.
    if (changes.length > 0 && dice.chance(0.4)) {
      const { asked, answered } = dice.pick(changes)
      return dice.chance(0.4) ? answered : dice.between(asked, answered)
    }
    return turning.length > 0 && dice.chance(0.5) ? dice.pick(turning) : dice.below(records.length)
  }
  return Array.from({ length: STATES }, choose)
}

/** Indexes of the marks of changes that were answered. */
function spansOfChanges(records: readonly LoggedRecord[]): { asked: number; answered: number }[] {
  const begun = new Map<number, number>()
  return [...records.entries()].flatMap(([index, record]) => {
    const mark = markOf(record)
    if (mark?.kind === 'change') begun.set(mark.id, index)
    return mark?.kind === 'changed' ? [{ asked: begun.get(mark.id)!, answered: index }] : []
  })
}

function markOf(record: LoggedRecord): LifeMark | undefined {
  return record.op === 'mark' ? (record.mark as LifeMark) : undefined
}

/** Anywhere, or right after a change that is not durable yet. */
function chooseKill(dice: Dice): KillOrder {
  if (dice.chance(0.4)) return { after: dice.chance(0.3) ? dice.between(1, 120) : dice.between(1, 600) }
  return {
    after: dice.between(1, 12),
    ops: dice.chance(0.6) ? ['truncate'] : ['rename', 'remove', 'mkdir', 'syncBegin'],
  }
}

function describe(record: LoggedRecord): string {
  const mark = markOf(record)
  if (!mark) return record.op
  if (mark.kind === 'begin') return `${mark.operation.name} ${mark.operation.id} asked`
  if (mark.kind === 'change') return `${mark.change.what} ${mark.id} asked`
  return mark.kind === 'end' || mark.kind === 'changed' ? `${mark.id} answered` : mark.kind
}

function hasPath(tree: Tree, [name, ...rest]: readonly string[]): boolean {
  if (name === undefined) return true
  const child = isFolder(tree) ? tree.get(name) : undefined
  return child !== undefined && hasPath(child, rest)
}
