/**
 * A volume that is replaced while it is borrowed: other files, another size, another control block.
 */
import { RpcError, VOLUME_STAGE, type VolumeDescriptor } from '@scsipub/contract'
import t from 'tap'
import { type BorrowContext, BorrowedVolumes } from './borrowed-volumes.js'
import { TestVolume } from './test-engine.js'

const SIZE = 1 << 20
const bytes = (fill: number, length = 4096) => Buffer.allocUnsafeSlow(length).fill(fill)

/** Two sets of files, of which the second replaces the first; a worker that asks `renew`. */
function make(renew: (next: TestVolume) => Promise<VolumeDescriptor> = async next => next.descriptor) {
  const [old, next] = [new TestVolume({ sizeBytes: SIZE }), new TestVolume({ sizeBytes: 2 * SIZE })]
  t.teardown(() => [old, next].map(volume => volume.remove()))
  const asked: string[] = []
  const ask = async ({ kind }: { kind: string }) => {
    asked.push(kind)
    if (kind === 'volume.renew') return renew(next)
    return old.control.stage === VOLUME_STAGE.replaced ? next.makeFiles() : old.makeFiles()
  }
  const workers = new BorrowedVolumes({ slot: 0, engine: { ask } as unknown as BorrowContext['engine'] })
  const replace = () => {
    old.control.stage = VOLUME_STAGE.replaced
    old.control.openGate()
  }
  return { old, next, workers, asked, replace }
}

t.test(
  'what waits goes on with the new files, in order, without an error and without asking, when the notice comes',
  async t => {
    const { old, next, workers, asked, replace } = make()
    const volume = workers.borrow(old.descriptor)
    await volume.write(0, bytes(1), 0, 4096)
    const before = volume.control
    old.control.closeGate()
    const done: string[] = []
    const target = bytes(0)
    const waiting = [
      volume.write(0, bytes(2), 0, 4096)?.then(() => done.push('write 2')),
      volume.read(0, target, 0, 4096)?.then(() => done.push('read')),
      volume.write(0, bytes(3), 0, 4096)?.then(() => done.push('write 3')),
    ]
    t.equal(volume.hold(false), false)
    const admission = volume.admission().then(() => done.push('admission'))
    replace()
    workers.replaced(next.descriptor)
    t.not(volume.control, before)
    t.equal(volume.sizeBytes, 2 * SIZE)
    await Promise.all([...waiting, admission])
    t.same(done, ['write 2', 'read', 'write 3', 'admission'])
    t.equal(target[0], 2)
    t.same(
      [next.control.space.allocatedSectors, old.control.space.allocatedSectors],
      [8, 8],
      'nothing went to the old files',
    )
    await volume.write(2 * SIZE - 4096, bytes(4), 0, 4096)
    t.notOk(asked.includes('volume.renew'))
    t.same([old.control.inFlight(), next.control.inFlight()], [0, 0])
    workers.replaced(old.descriptor)
    t.equal(volume.sizeBytes, 2 * SIZE, 'a notice that comes late does nothing')
    volume.release()
    t.equal(workers.openFiles, 0)
  },
)

t.test('who has had no notice asks, once, whatever it wants to do', async t => {
  const { old, workers, asked, replace } = make()
  const volume = workers.borrow(old.descriptor)
  await volume.read(0, bytes(0), 0, 4096)
  replace()
  t.equal(volume.hold(false), false, 'no hold on what is replaced')
  t.equal(old.control.inFlight(), 0)
  const read = volume.read(0, bytes(0), 0, 4096)
  await Promise.all([read, volume.write(0, bytes(1), 0, 4096), volume.admission()])
  t.same(
    asked.filter(kind => kind === 'volume.renew'),
    ['volume.renew'],
  )
  t.equal(volume.hold(false), true)
  volume.unhold()
  t.equal(volume.sanitize, undefined)
  volume.release()
})

t.test('a descriptor that is old when it is borrowed is renewed at once', async t => {
  const { old, workers, replace } = make()
  replace()
  const volume = workers.borrow(old.descriptor)
  t.equal(volume.sanitize, undefined)
  await new Promise(resolve => setImmediate(resolve))
  t.equal(volume.sizeBytes, 2 * SIZE)
  volume.release()
})

t.test('a volume that has ended meanwhile, or whose name another one has, is gone', async t => {
  for (const renew of [
    async () => Promise.reject(new RpcError('gone', 'it is not open')),
    async ({ descriptor }: TestVolume) => ({ ...descriptor, identity: { naa: '6ff', serial: '1' } }),
  ]) {
    const { old, workers, replace } = make(renew)
    const volume = workers.borrow(old.descriptor)
    await volume.write(0, bytes(1), 0, 4096)
    replace()
    await t.rejects(Promise.resolve(volume.write(0, bytes(2), 0, 4096)), { code: 'gone' })
    await t.rejects(Promise.resolve(volume.read(0, bytes(2), 0, 4096)), { code: 'gone' })
    volume.release()
    t.equal(workers.openFiles, 0)
  }
})

t.test('what a reservation leaves is judged by the new control block, also for what waited', async t => {
  const { old, next, workers, replace } = make()
  const volume = workers.borrow(old.descriptor)
  await volume.write(0, bytes(1), 0, 4096)
  old.control.closeGate()
  const waiting = Promise.resolve(volume.write(0, bytes(2), 0, 4096))
  next.control.holder = 9
  replace()
  workers.replaced(next.descriptor)
  await t.rejects(waiting, { code: 'reserved' })
  next.control.holder = 0
  await volume.write(0, bytes(3), 0, 4096)
  volume.release()
})
