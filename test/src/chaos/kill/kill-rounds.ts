// Rounds of SIGKILL. The real server, with a persistent target and a lease, is killed at a random instant: mostly under a load of several sessions and connections, at
// times while it starts, or while what it has is being looked at. Each start that lasts long enough is followed by a look at everything: every
// answered write is there; what was not answered is old or new.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { cdb, Initiator } from '@scsipub/testkit'
import { iqn } from '../../harness/server.js'
import { Dice } from '../dice.js'
import { DiskLedger } from '../disk-ledger.js'
import { loadedAt, OperationChooser } from '../disk-operation.js'
import { ChaosFault, type ChaosResult, type RoundsOptions } from '../faults.js'
import { ReservationLedger } from '../reservation-ledger.js'
import { BASE_TAG } from '../sector-value.js'
import { FENCE_NODES, fence } from './fence.js'
import { readAll, readReservations, readStatuses, readUsage, ready, stateOf } from './found-state.js'
import { FENCE_LUN, imageContent, initialOf, KILL_CONFIG, KILL_DISKS, TARGET } from './kill-disks.js'
import { RENTED_DISKS } from './rented-disks.js'
import { RentedLeases } from './rented-leases.js'
import { type ServerPorts, ServerProcess } from './server-process.js'
import { carryOut } from './wire-operations.js'

const LOOPS_PER_CONNECTION = 3
/** A machine that is busy takes no longer for a change. */
const LONG_MS = 3000
const LOADER = 'iqn.2025-01.test:loader'
const RESERVATION_CONFLICT = 0x18

/** Where a round's kill falls. */
type Manner = 'load' | 'start' | 'look'

interface Run {
  readonly ports: ServerPorts
  /** Set right before the kill: connections may end from now on. */
  killed: boolean
}

/** To the operator's target, and to the lease. */
interface Connections {
  readonly kept: Initiator
  readonly lease: Initiator
}

export class KillRounds {
  readonly #options: RoundsOptions
  readonly #dataDir: string
  readonly #configFile: string
  readonly #disks = KILL_DISKS.map(disk => new DiskLedger({ sectors: disk.sectors, initial: initialOf(disk) }))
  readonly #rented: RentedLeases
  readonly #fence = new ReservationLedger()
  readonly #figures = { operations: 0, answered: 0, looks: 0, killedAtStart: 0, killedAtLook: 0 }
  #nextId = BASE_TAG + 1

  constructor(options: RoundsOptions) {
    this.#options = options
    this.#dataDir = join(options.scratch, 'kill')
    this.#rented = new RentedLeases(this.#dataDir)
    this.#configFile = join(options.scratch, 'config.json')
    const catalog = join(this.#dataDir, 'catalog')
    mkdirSync(catalog, { recursive: true })
    writeFileSync(join(catalog, 'base.img'), imageContent())
    writeFileSync(join(catalog, 'base.json'), JSON.stringify({ name: 'base', title: 'Base', file: 'base.img' }))
    const config = { dataDir: this.#dataDir, listen: { iscsi: '127.0.0.1:0', http: '127.0.0.1:0' }, ...KILL_CONFIG }
    writeFileSync(this.#configFile, JSON.stringify(config))
  }

  /** @throws ChaosFault for the first round that found something wrong */
  async run(): Promise<ChaosResult> {
    const { rounds } = this.#options
    for (let round = 0; round < rounds; round++) await this.#round(round)
    await this.#withServer(rounds, async server => {
      await this.#look({ ports: await server.ready(), killed: false }, rounds)
      await server.stop()
    })
    return { rounds, figures: { ...this.#figures, changes: this.#rented.changes } }
  }

  async #round(round: number): Promise<void> {
    const dice = new Dice(this.#options.seed, round)
    const manner = dice.weighted<Manner>({ load: 7, start: 1.5, look: 1.5 })
    const before = this.#figures.answered
    await this.#withServer(round, async server => {
      if (manner === 'start') {
        this.#figures.killedAtStart++
        await setTimeout(dice.below(1200))
        return
      }
      const run = { ports: await server.ready(), killed: false }
      if (manner === 'look') {
        this.#figures.killedAtLook++
        const looking = this.#unlessKilled(run, this.#look(run, round))
        await Promise.race([setTimeout(dice.below(250)), looking])
        run.killed = true
        await server.kill()
        return looking
      }
      await this.#look(run, round)
      let load = Promise.resolve()
      const begun = new Promise<void>(resolve => {
        load = this.#load(run, dice, resolve)
      })
      if (dice.chance(0.9)) await Promise.race([begun, load])
      // Right after the answer to a change of the lease, where what is not kept by then shows; or anywhere.
      const answered = dice.chance(0.4) ? [this.#rented.answers(dice.between(1, 3)), setTimeout(LONG_MS)] : []
      await Promise.race(answered.length > 0 ? [...answered, load] : [setTimeout(dice.between(1, 600)), load])
      run.killed = true
      await server.kill()
      await load
    })
    this.#options.progress?.(`kill ${round}: ${manner}, ${this.#figures.answered - before} operations answered`)
  }

  /** Gives a server to `use`, and kills it afterwards if it is still there. */
  async #withServer(round: number, use: (server: ServerProcess) => Promise<void>): Promise<void> {
    const server = new ServerProcess(this.#configFile)
    try {
      await use(server)
    } catch (error) {
      if (error instanceof ChaosFault) throw error
      throw new ChaosFault(this.#name(round), [(error as Error).message], this.#options.scratch)
    } finally {
      await server.kill()
    }
    if (server.errors.length > 0)
      throw new ChaosFault(this.#name(round), ['the server logged:', ...server.errors], this.#options.scratch)
  }

  /** Reads everything and holds it against what was asked and answered. */
  async #look(run: Run, round: number): Promise<void> {
    const initiator = await login(run, LOADER)
    const faults: string[] = []
    const found: Buffer[] = []
    for (const [lun, ledger] of this.#disks.entries()) {
      await ready(initiator, lun)
      const content = await readAll(initiator, lun)
      found.push(content)
      const told = ledger.faults('kill', { content })
      if (KILL_DISKS[lun]!.thin) {
        told.push(...ledger.statusFaults(await readStatuses(initiator, lun, ledger.sectors)))
        const { used, counted, unit } = await readUsage(initiator, lun, this.#dataDir)
        if (Math.abs(used - counted) >= unit) told.push(`${used} sectors are used, and its bitmap has ${counted}`)
      }
      faults.push(...told.map(fault => `LUN ${lun}: ${fault}`))
    }
    await ready(initiator, FENCE_LUN)
    const reservations = await readReservations(initiator)
    faults.push(...this.#fence.faults(reservations))
    const write = await initiator.executeWrite(cdb.write10(0, 1), Buffer.alloc(512), { lun: FENCE_LUN })
    const fenced = reservations.includes('"reservation"')
    if (write.status !== (fenced ? RESERVATION_CONFLICT : 0))
      faults.push(`with ${reservations}, a stranger's write ended with status ${write.status}`)
    faults.push(...(await this.#rented.look(run.ports)))
    if (faults.length > 0) throw new ChaosFault(this.#name(round), faults, this.#options.scratch)
    for (const [lun, ledger] of this.#disks.entries()) ledger.settle('kill', { content: found[lun]! })
    this.#fence.settle(reservations)
    await this.#rented.settle(run.ports)
    this.#figures.looks++
    await initiator.close()
  }

  /** Works on all disks until the server is killed; `begun` is called after the logins. @throws when something fails before */
  async #load(run: Run, dice: Dice, begun: () => void): Promise<void> {
    const rented = RENTED_DISKS.map((disk, lun) => loadedAt(disk, () => this.#rented.disks[lun]!.sectors))
    const chooser = new OperationChooser(dice.fork(), [...KILL_DISKS, ...rented], this.#nextId)
    const work = async ({ kept, lease }: Connections, own: Dice): Promise<void> => {
      for (;;) {
        const operation = chooser.begin()
        if (!operation) {
          await setTimeout(1)
          continue
        }
        const lun = operation.disk - KILL_DISKS.length
        const ledger = this.#disks[operation.disk] ?? this.#rented.disks[lun]!
        if (lun < 0) ledger.begin(operation)
        else this.#rented.begin(lun, operation)
        this.#figures.operations++
        const done = await (lun < 0
          ? carryOut(kept, operation, own)
          : carryOut(lease, { ...operation, disk: lun }, own))
        this.#figures.answered++
        ledger.end(operation.id, done)
        chooser.end(operation)
      }
    }
    const begin = async (): Promise<void> => {
      const first = await login(run, LOADER)
      const second = await first.addConnection(address(run), { cid: 1 })
      const other = await login(run, `${LOADER}-2`)
      const nodes = await Promise.all(FENCE_NODES.map(node => login(run, node.initiatorName, node.isid)))
      for (const node of nodes) await ready(node, FENCE_LUN)
      const state = stateOf(await readReservations(nodes[0]!))
      for (const lun of KILL_DISKS.keys()) for (const session of [first, other]) await ready(session, lun)
      const lease = await this.#rented.logIn(run.ports, dice.fork())
      const connections = [first, second, other].flatMap(kept =>
        Array<Connections>(LOOPS_PER_CONNECTION).fill({ kept, lease }),
      )
      begun()
      await Promise.all([
        ...connections.map(connection => work(connection, dice.fork())),
        this.#rented.change(run.ports, dice.fork(), () => chooser.takeId()),
        fence(nodes, { dice: dice.fork(), ledger: this.#fence, state }),
      ])
    }
    await this.#unlessKilled(run, begin())
    this.#nextId = chooser.nextId
  }

  async #unlessKilled(run: Run, action: Promise<void>): Promise<void> {
    try {
      await action
    } catch (error) {
      if (!run.killed || error instanceof ChaosFault) throw error
    }
  }

  #name(round: number): string {
    return `kill, seed ${this.#options.seed}, round ${round}`
  }
}

const address = ({ ports }: Run) => ({ host: '127.0.0.1', port: ports.iscsi })

function login(run: Run, initiatorName: string, isid?: Buffer): Promise<Initiator> {
  return Initiator.login(address(run), {
    target: iqn(TARGET),
    initiatorName,
    keys: { MaxConnections: '2' },
    ...(isid && { isid }),
  })
}
