// One session of our own initiator, of one or several connections, that does everything to its disks that can be done to one, several operations at a time, and now and then reads all of
// them back: each sector has to be what was answered last. Where its connection may end, it logs in again under the same name and ISID, as any initiator, and each sector has to be what was
// answered last or what was under way.

import { setTimeout } from 'node:timers/promises'
import { type Initiator, LoginRefused } from '@scsipub/testkit'
import type { Dice } from '../../chaos/dice.js'
import { DiskLedger } from '../../chaos/disk-ledger.js'
import { OperationChooser } from '../../chaos/disk-operation.js'
import { readAll, readStatuses, ready } from '../../chaos/kill/found-state.js'
import { initialOf, type KillDisk } from '../../chaos/kill/kill-disks.js'
import { carryOut } from '../../chaos/kill/wire-operations.js'
import { BASE_TAG } from '../../chaos/sector-value.js'
import type { Breaks } from './breaks.js'
import type { Lane } from './lane.js'
import { SessionWatch } from './session-watch.js'

const LOOPS = 2
/** Between two looks at everything. */
const LOOK_MS = 2_500
const AGAIN_MS = 100
/** An initiator that finds its session still there, or the server not ready yet, tries again for so long. */
const LOGIN_MS = 20_000

export interface LedgerLaneOptions {
  readonly name: string
  /** By LUN. */
  readonly disks: readonly KillDisk[]
  /** They are gone when the session has ended in order. */
  readonly passing?: boolean
  /** The connections of a new session, under the same name and ISID each time. */
  readonly login: () => Promise<Initiator[]>
  readonly breaks: Breaks
  readonly dice: Dice
}

export class LedgerLane implements Lane {
  readonly name: string
  done = 0
  readonly #options: LedgerLaneOptions
  #ledgers: readonly DiskLedger[]
  readonly #chooser: OperationChooser
  #stopped = false
  /** What the session before had under way may have been done or not. */
  #unsettled = false

  constructor(options: LedgerLaneOptions) {
    this.name = options.name
    this.#options = options
    this.#ledgers = newLedgers(options.disks)
    this.#chooser = new OperationChooser(options.dice.fork(), options.disks, BASE_TAG + 1)
  }

  stop(): void {
    this.#stopped = true
  }

  async run(): Promise<void> {
    this.#stopped = false
    const { passing, disks, breaks } = this.#options
    if (passing) {
      this.#ledgers = newLedgers(disks)
      this.#unsettled = false
    }
    while (!this.#stopped && !breaks.fault) {
      const connections = await this.#login()
      if (connections.length > 0) await this.#keep(connections)
    }
  }

  /** Until one of the connections ends, or nothing more is wanted. */
  async #keep(connections: readonly Initiator[]): Promise<void> {
    const { breaks } = this.#options
    const watch = new SessionWatch(this.name, connections)
    watch.begin() // there is always something under way
    breaks.watch(watch)
    let ending: 'fin' | 'reset' = 'fin'
    try {
      await this.#look(connections)
      while (!this.#stopped) {
        await this.#work(connections)
        await this.#look(connections)
      }
    } catch (error) {
      ending = 'reset'
      this.#unsettled = true
      breaks.note(this.name, error, [watch])
    }
    breaks.unwatch(watch)
    for (const connection of connections) await connection.close(ending)
  }

  /** Until the next look. @throws Error that has ended it before */
  async #work(connections: readonly Initiator[]): Promise<void> {
    const { dice } = this.#options
    const end = performance.now() + LOOK_MS
    let broken: unknown
    const loop = async (connection: Initiator, own: Dice): Promise<void> => {
      while (!this.#stopped && broken === undefined && performance.now() < end) {
        const operation = this.#chooser.begin()
        if (operation) {
          const ledger = this.#ledgers[operation.disk]!
          ledger.begin(operation)
          try {
            ledger.end(operation.id, await carryOut(connection, operation, own))
            this.done++
          } finally {
            this.#chooser.end(operation)
          }
        }
        await setTimeout(own.below(4))
      }
    }
    const loops = connections.flatMap(connection =>
      Array.from({ length: LOOPS }, () =>
        loop(connection, dice.fork()).catch((error: unknown) => {
          broken ??= error
        }),
      ),
    )
    await Promise.all(loops)
    if (broken !== undefined) throw broken
  }

  /** Reads everything and holds it against what was asked and answered, or, after a connection has ended, asked. @throws Error when a connection ends */
  async #look(connections: readonly Initiator[]): Promise<void> {
    const { disks, dice, breaks } = this.#options
    const faults: string[] = []
    for (const [lun, ledger] of this.#ledgers.entries()) {
      const content = await readAll(dice.pick(connections), lun)
      const told = ledger.faults('kill', { content })
      if (disks[lun]!.thin) told.push(...ledger.statusFaults(await readStatuses(connections[0]!, lun, ledger.sectors)))
      if (this.#unsettled && told.length === 0) ledger.settle('kill', { content })
      faults.push(...told.map(fault => `${this.name}, LUN ${lun}: ${fault}`))
    }
    this.#unsettled = false
    if (faults.length > 0) breaks.fail(new Error(faults.join('\n')))
  }

  async #login(): Promise<Initiator[]> {
    const { login, breaks } = this.#options
    for (const end = performance.now() + LOGIN_MS; ; ) {
      try {
        const connections = await login()
        for (const lun of this.#ledgers.keys()) await ready(connections[0]!, lun)
        return connections
      } catch (error) {
        const again = error instanceof LoginRefused || breaks.open
        if (!again || performance.now() > end || !breaks.open) {
          breaks.fail(new Error(`${this.name} cannot log in: ${(error as Error).message}`))
          return []
        }
        await setTimeout(AGAIN_MS)
      }
    }
  }
}

function newLedgers(disks: readonly KillDisk[]): DiskLedger[] {
  return disks.map(disk => new DiskLedger({ sectors: disk.sectors, initial: initialOf(disk) }))
}
