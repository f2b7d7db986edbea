// Changes of registrations and reservation over the wire, one after the other, by nodes with names and ISIDs of their own.

import { setTimeout } from 'node:timers/promises'
import { type ReservationAction, type ReservationState, reduceReservations, status } from '@scsipub/scsi'
import { type Initiator, type PrOutFields, persistentReserveOut, prOut } from '@scsipub/testkit'
import type { Dice } from '../dice.js'
import { keptState, type ReservationLedger } from '../reservation-ledger.js'
import { FENCE_LUN } from './kill-disks.js'

export interface FenceNode {
  readonly initiatorName: string
  readonly isid: Buffer
}

export const FENCE_NODES: readonly FenceNode[] = ['a', 'b'].map((name, index) => ({
  initiatorName: `iqn.2025-01.test:node-${name}`,
  isid: Buffer.from([0, 2, 0x3d, 0, 0, index + 1]),
}))

/** Name of the initiator port [SPC-4 §7.6.4.6]. */
function portOf({ initiatorName, isid }: FenceNode): string {
  return `${initiatorName},i,0x${isid.toString('hex')}`
}

const KEYS = [0xa1, 0xb2]
const hex = (key: number) => key.toString(16).padStart(16, '0')

export interface FenceOptions {
  readonly dice: Dice
  readonly ledger: ReservationLedger
  readonly state: ReservationState
  readonly told?: (state: ReservationState) => string
}

interface Change {
  readonly service: number
  readonly fields: PrOutFields
  readonly action: ReservationAction
}

/** Changes on until a connection ends. `state`: what the server has at first; `told`: what of a state the ledger has. */
export async function fence(
  nodes: readonly Initiator[],
  { dice, ledger, state, told = keptState }: FenceOptions,
): Promise<void> {
  for (let now = state; ; ) {
    const index = dice.below(nodes.length)
    const { service, fields, action } = choose(dice)
    const result = reduceReservations(now, portOf(FENCE_NODES[index]!), action)
    ledger.begin(told(result.state))
    const answer = await persistentReserveOut(nodes[index]!, service, fields, FENCE_LUN)
    if (answer.sense?.startsWith('6/')) {
      // A unit attention came in its place, and nothing was done.
      ledger.end(false)
      continue
    }
    if ((answer.status === status.good) !== (result.refused === undefined))
      throw new Error(
        `${action.name} ended with status ${answer.status}, sense ${answer.sense}; expected ${result.refused ?? 'GOOD'}`,
      )
    ledger.end(result.refused === undefined)
    if (result.refused === undefined) now = result.state
    await setTimeout(dice.below(20))
  }
}

function choose(dice: Dice): Change {
  const key = dice.pick(KEYS)
  const newKey = dice.pick(KEYS)
  const type = dice.pick([1, 3, 5, 6, 7, 8])
  const typed = { key: hex(key), scope: 0, type }
  const names = { register: 6, reserve: 3, release: 1, clear: 1, preempt: 2 } as const
  const name = dice.weighted<keyof typeof names>(names)
  switch (name) {
    case 'register': {
      const aptpl = dice.chance(0.8)
      const allTgPt = dice.chance(0.5)
      return {
        service: prOut.registerAndIgnoreExistingKey,
        fields: { serviceActionKey: newKey, aptpl, allTgPt },
        action: { name, key: hex(0), newKey: hex(newKey), ignoreKey: true, persist: aptpl, allTargetPorts: allTgPt },
      }
    }
    case 'preempt':
      return {
        service: prOut.preemptAndAbort,
        fields: { key, serviceActionKey: newKey, type },
        action: { ...typed, name, victimKey: hex(newKey), abort: true },
      }
    case 'clear':
      return { service: prOut.clear, fields: { key }, action: { name, key: hex(key) } }
    default:
      return { service: prOut[name], fields: { key, type }, action: { ...typed, name } }
  }
}
