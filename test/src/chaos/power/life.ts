// One life of the storage engine, as a process: looks at data directories that earlier lives left, opens its own, and works on it under the recorder until
// it ends or is killed. `node --import recorder.js life.js ORDERS`, the orders as JSON.

import { setImmediate } from 'node:timers/promises'
import { type ReservationAction, reduceReservations } from '@scsipub/scsi'
import type { BorrowedVolume } from '@scsipub/volume'
import { Dice } from '../dice.js'
import { type DiskOperation, loadedAt, OperationChooser } from '../disk-operation.js'
import { keptState } from '../reservation-ledger.js'
import { SECTOR_BYTES } from '../sector-value.js'
import { changeDisks } from './disk-changes.js'
import { carryOut } from './engine-operations.js'
import type { LifeMark, LifeOrders, LiveOrders } from './life-messages.js'
import { type OpenState, openState } from './open-state.js'
import { passThrough } from './passing-disks.js'
import { LOADED_DISKS, POWER_DISKS } from './power-disks.js'
import { mark } from './recorder.js'

const LOOPS = 4
const PORTS = ['iqn.2025-01.test:a,i,0x1', 'iqn.2025-01.test:b,i,0x2', 'iqn.2025-01.test:c,i,0x3']
const KEYS = ['00000000000000a1', '00000000000000b2']

const note = (value: LifeMark): void => mark(value)

async function live(orders: LiveOrders, basePath: string): Promise<void> {
  const { dataDir, dump, bootId, seed } = orders
  const state = await openState({ dataDir, dump, bootId, basePath })
  note({ kind: 'opened', dump })
  const sizes = state.volumes.map(volume => (volume?.sizeBytes ?? 0) / SECTOR_BYTES)
  const disks = LOADED_DISKS.map((disk, index) => loadedAt(disk, () => sizes[index] ?? 0))
  const chooser = new OperationChooser(new Dice(seed), disks, orders.firstId)
  let left = orders.operations
  const work = async (dice: Dice): Promise<void> => {
    while (left-- > 0) {
      const operation = chooser.begin()
      if (operation) await perform(operation, state, dice)
      if (operation) chooser.end(operation)
      await setImmediate()
    }
  }
  const loops = Array.from({ length: LOOPS }, (_, loop) => work(new Dice(seed, loop + 1)))
  const more = () => left > 0
  const common = { engine: state.engine, note, takeId: () => chooser.takeId(), more }
  await Promise.all([
    ...loops,
    reserve(state, new Dice(seed, 99), more),
    changeDisks({ ...common, sizes, dice: new Dice(seed, 98) }),
    passThrough({ ...common, state, dice: new Dice(seed, 97) }),
  ])
  note({ kind: 'ended' })
  if (orders.close) await state.engine.close()
}

async function perform(operation: DiskOperation, { engine, volumes }: OpenState, dice: Dice): Promise<void> {
  const volume = volumes[operation.disk] as BorrowedVolume
  note({ kind: 'begin', volume: POWER_DISKS[operation.disk]!.id, operation })
  const done = await carryOut(volume, operation, dice)
  note({ kind: 'end', id: operation.id, done })
  if (operation.name === 'sanitize') await engine.sanitized(POWER_DISKS[operation.disk]!.id)
}

/** Changes registrations and reservation of the disk that is for it, one after the other. */
async function reserve({ engine }: OpenState, dice: Dice, more: () => boolean): Promise<void> {
  const volume = POWER_DISKS.find(({ reserved }) => reserved)!.id
  const { reservations } = await engine.volume(volume)
  while (more()) {
    const port = dice.pick(PORTS)
    const action = actionOf(dice)
    note({ kind: 'reserve', volume, next: keptState(reduceReservations(reservations.state, port, action).state) })
    const { refused } = await reservations.change(port, action)
    note({ kind: 'reserved', volume, done: refused === undefined })
    for (let turn = dice.below(30); turn > 0; turn--) await setImmediate()
  }
}

function actionOf(dice: Dice): ReservationAction {
  const key = dice.pick(KEYS)
  const typed = { key, scope: 0, type: dice.pick([1, 3, 5, 6, 7, 8]) }
  const names = { register: 6, reserve: 3, release: 1, clear: 1, preempt: 2 } as const
  const name = dice.weighted<keyof typeof names>(names)
  switch (name) {
    case 'register':
      return {
        name,
        key,
        newKey: dice.pick(KEYS),
        ignoreKey: true,
        persist: dice.chance(0.8),
        allTargetPorts: dice.chance(0.5),
      }
    case 'preempt':
      return { ...typed, name, victimKey: dice.pick(KEYS), abort: false }
    case 'clear':
      return { name, key }
    default:
      return { ...typed, name }
  }
}

const { inspect, live: own, basePath } = JSON.parse(process.argv[2] ?? '{}') as LifeOrders
for (const found of inspect) {
  const { engine } = await openState({ ...found, basePath })
  await engine.close()
}
if (own) await live(own, basePath)
process.exit(0)
