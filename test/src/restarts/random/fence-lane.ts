// Two nodes that register, reserve, preempt and release, one after the other; each answer has to be that of the rules. Where a connection may end, both log in again, and what is
// registered has to be what was answered last or what was under way.

import { setTimeout } from 'node:timers/promises'
import type { ReservationState } from '@scsipub/scsi'
import type { Initiator, PortalAddress } from '@scsipub/testkit'
import { Initiator as Node } from '@scsipub/testkit'
import type { Dice } from '../../chaos/dice.js'
import { FENCE_NODES, fence } from '../../chaos/kill/fence.js'
import { readReservations, ready, stateOf } from '../../chaos/kill/found-state.js'
import { FENCE_LUN } from '../../chaos/kill/kill-disks.js'
import { keptState, ReservationLedger } from '../../chaos/reservation-ledger.js'
import type { Breaks } from './breaks.js'
import type { Lane } from './lane.js'
import { SessionWatch } from './session-watch.js'

const AGAIN_MS = 100

export class FenceLane implements Lane {
  readonly name = 'reservations'
  readonly #options: { address: PortalAddress; target: string; breaks: Breaks; dice: Dice }
  #ledger = new ReservationLedger()
  /** Of sessions that have ended. */
  #before = 0
  #stopped = false
  #nodes: Initiator[] = []
  #watches: SessionWatch[] = []

  constructor(options: { address: PortalAddress; target: string; breaks: Breaks; dice: Dice }) {
    this.#options = options
  }

  /** Answered requests with a CmdSN, of both nodes. */
  get done(): number {
    return this.#before + this.#nodes.reduce((sum, node) => sum + answered(node), 0)
  }

  stop(): void {
    this.#stopped = true
    for (const node of this.#nodes) void node.close()
  }

  async run(): Promise<void> {
    this.#stopped = false
    const { breaks } = this.#options
    while (!this.#stopped && !breaks.fault) {
      try {
        await this.#session()
      } catch (error) {
        const watches = this.#watches.splice(0)
        // Who has no session yet may have lost a login.
        const all = watches.length === FENCE_NODES.length ? watches : undefined
        if (!this.#stopped) breaks.note(this.name, error, all)
        for (const watch of watches) breaks.unwatch(watch)
        for (const node of this.#nodes.splice(0)) {
          this.#before += answered(node)
          await node.close('reset')
        }
        if (this.#stopped) return
        await setTimeout(AGAIN_MS)
      }
    }
  }

  async #session(): Promise<void> {
    const { address, target, breaks, dice } = this.#options
    for (const { initiatorName, isid } of FENCE_NODES) {
      const node = await Node.login(address, { target, initiatorName, isid })
      this.#nodes.push(node)
      const watch = new SessionWatch(this.name, [node])
      watch.begin() // of two that wait for each other none is at rest
      this.#watches.push(watch)
      breaks.watch(watch)
    }
    for (const node of this.#nodes) await ready(node, FENCE_LUN)
    const found = await readReservations(this.#nodes[0]!)
    const faults = this.#ledger.faults(found)
    if (faults.length > 0) breaks.fail(new Error(faults.join('\n')))
    this.#ledger.settle(found)
    await fence(this.#nodes, { dice: dice.fork(), ledger: this.#ledger, state: stateOf(found), told: all })
  }
}

/** Nothing that is restarted is a loss of power: without APTPL it stays as well. */
function all(state: ReservationState): string {
  return keptState({ ...state, persistent: state.registrations.length > 0 })
}

function answered(node: Initiator): number {
  return node.cmdSn - node.session.last.expCmdSn
}
