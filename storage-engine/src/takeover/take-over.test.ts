import {
  Borrower,
  ControlBlock,
  EngineMemory,
  type EngineNotice,
  VOLUME_STAGE,
  type VolumeRecord,
} from '@scsipub/contract'
import { NO_RESERVATIONS } from '@scsipub/scsi'
import { BorrowedVolumes } from '@scsipub/volume'
import t, { type Test } from 'tap'
import { StorageEngine } from '../storage-engine.js'
import { ask, bytes, remove, spec, temporaryDirectory } from '../test-bench.js'

/** What the supervisor and the workers of a server have, over the engines that it has one after the other. */
class Life {
  readonly dataDir = temporaryDirectory()
  readonly notices: EngineNotice[] = []
  readonly lost: string[] = []
  readonly records = new Map<string, VolumeRecord>()
  memory = new EngineMemory()
  engine: StorageEngine
  readonly workers: BorrowedVolumes

  constructor(t: Test) {
    t.teardown(() => remove(this.dataDir))
    this.engine = this.#start()
    this.workers = new BorrowedVolumes({ slot: 0, engine: { ask: ask(() => this.engine) } as never })
  }

  /** The engine is never heard of again, and another one takes over. */
  takeOver(): void {
    this.engine = this.#start([...this.records.values()])
  }

  #start(taken?: VolumeRecord[]): StorageEngine {
    return new StorageEngine({
      dataDir: this.dataDir,
      memory: this.memory,
      notify: notice => void this.notices.push(notice),
      notes: {
        note: (id, changed) => void this.records.set(id, { ...this.records.get(id), ...changed } as VolumeRecord),
        forget: id => void this.records.delete(id),
      },
      onLoss: id => void this.lost.push(id),
      ...(taken && { taken }),
    })
  }
}

const compareAndWrite = (data: Buffer) => ({ name: 'compareAndWrite', position: 0, data }) as const

for (const persistence of ['persistent', 'ephemeral'] as const) {
  t.test(
    `a write behind the gate that was broken off is done again, whole, and counts as done (${persistence})`,
    async t => {
      const life = new Life(t)
      const volume = life.workers.borrow(await life.engine.open(spec('disk', { persistence })))
      await volume.write(0, bytes(1, 4096), 0, 4096)
      const control = new ControlBlock(life.records.get('disk')!.descriptor.control)
      // As the thread leaves it that ends in the middle: the gate closed, the record whole, some sectors booked and not there.
      control.closeGate()
      control.beginOperation(0.5)
      control.space.charge(77)
      let left: Uint8Array = new Uint8Array()
      life.memory.recorded('disk', 2048, bytes(9, 4096), () => {
        left = life.memory.export()
      })
      life.memory = EngineMemory.import(left)
      life.takeOver()
      const found = bytes(0, 8192)
      await volume.read(0, found, 0, 8192)
      t.same([found[0], found[2047], found[2048], found[6143], found[6144]], [1, 1, 9, 9, 0])
      await life.engine.volume('disk')
      t.same(
        [control.gateClosed, control.space.allocatedSectors],
        [false, 12],
        'the gate is open, and the sectors are counted',
      )
      t.equal(life.memory.redo(), undefined)
      const data = Buffer.concat([bytes(1, 512), bytes(2, 512)])
      const asked = { operationId: 0.5, again: true }
      t.same(await life.engine.operate('disk', compareAndWrite(data), asked), {}, 'asked again, it has been done')
      t.equal((await life.engine.exclusive('disk', ({ store }) => store.read(0, 512)))[0], 1, 'and is not done twice')
      t.same(await life.engine.operate('disk', compareAndWrite(data), { ...asked, operationId: 0.6 }), {})
      t.equal((await life.engine.exclusive('disk', ({ store }) => store.read(0, 512)))[0], 2, 'another one is done')
      life.takeOver()
      t.same(await life.engine.operate('disk', compareAndWrite(data), asked), {}, 'nor after another engine has died')
      await life.engine.close()
    },
  )
}

t.test('an operation that had begun and done nothing is done when it is asked for again', async t => {
  const life = new Life(t)
  await life.engine.open(spec('disk'))
  const control = new ControlBlock(life.records.get('disk')!.descriptor.control)
  control.closeGate()
  control.beginOperation(0.5)
  life.takeOver()
  const data = Buffer.concat([bytes(0, 512), bytes(2, 512)])
  t.same(await life.engine.operate('disk', compareAndWrite(data), { operationId: 0.5, again: true }), {})
  t.equal((await life.engine.exclusive('disk', ({ store }) => store.read(0, 512)))[0], 2)
  await life.engine.close()
})

t.test('a reservation that was noted and not yet in force is in force before the gate opens', async t => {
  const life = new Life(t)
  await life.engine.open(spec('disk'))
  const control = new ControlBlock(life.records.get('disk')!.descriptor.control)
  control.closeGate()
  const registrations = [{ port: 'fencer', key: '00000000000000a1', allTargetPorts: false }]
  const reservations = { ...NO_RESERVATIONS, generation: 7, registrations, reservation: { type: 1, holder: 'fencer' } }
  const change = { changeId: 0.25, noticeId: 9, attentions: [], abort: ['victim'] }
  life.records.set('disk', { ...life.records.get('disk')!, reservations, changes: [change] } as VolumeRecord)
  life.takeOver()
  const volume = await life.engine.volume('disk')
  t.match(volume.reservations.state, reservations)
  t.match(volume.reservations.changes, [change], 'who asks again for the change finds it made')
  t.equal(control.gateClosed, false)
  t.equal(control.refuses(new Borrower(1, 'victim'), true), 'reserved')
  t.equal(control.refuses(new Borrower(2, 'fencer'), true), undefined)
  await life.engine.close()
})

t.test('who holds a unit, prevents removal or sanitizes it is known to the next engine', async t => {
  const life = new Life(t)
  await life.engine.open(spec('disk', { persistence: 'ephemeral' }))
  const unit = await life.engine.unit('disk')
  await unit.reserve({ sessionId: 7, slot: 1 })
  unit.prevent({ sessionId: 7, slot: 1 }, true)
  life.takeOver()
  const after = await life.engine.unit('disk')
  await t.rejects(after.reserve({ sessionId: 8, slot: 0 }), { code: 'reserved' })
  await t.rejects(after.eject(), { code: 'prevented' })
  after.leave(7)
  await after.reserve({ sessionId: 8, slot: 0 })
  t.match(life.records.get('disk'), { holder: { sessionId: 8 }, prevents: [] })
  await life.engine.close()
})

t.test('what a flush had taken up when the engine died is flushed by the next one', async t => {
  const life = new Life(t)
  const volume = life.workers.borrow(await life.engine.open(spec('disk')))
  await volume.write(0, bytes(1), 0, 4096)
  const control = new ControlBlock(life.records.get('disk')!.descriptor.control)
  t.same(control.dirty.take(), [0])
  life.takeOver()
  await life.engine.volume('disk')
  t.same(control.dirty.take(), [0])
  control.dirty.markTakenUp()
  await volume.flush()
  t.same([control.dirty.take(), control.dirty.markTakenUp()], [[], []])
  await life.engine.close()
})

t.test('a flush that has lost data is not forgotten with the engine', async t => {
  const life = new Life(t)
  const volume = life.workers.borrow(await life.engine.open(spec('disk')))
  await volume.write(0, bytes(1), 0, 4096)
  new ControlBlock(life.records.get('disk')!.descriptor.control).setFlushFailed()
  life.takeOver()
  await t.rejects(async () => volume.flush(), { code: 'io-write', message: /lost data/ })
})

t.test('a volume that cannot be taken over ends, and stays refused', async t => {
  const life = new Life(t)
  const volume = life.workers.borrow(await life.engine.open(spec('disk')))
  await volume.write(0, bytes(1), 0, 4096)
  remove(`${life.dataDir}/volumes/disk/bitmap.durable`)
  life.takeOver()
  await t.rejects(life.engine.open(spec('disk')), { code: 'damaged' })
  t.equal(volume.control.stage, VOLUME_STAGE.gone)
  t.throws(() => volume.write(0, bytes(2), 0, 4096), { code: 'gone' })
  t.same(life.lost, ['disk'])
})
