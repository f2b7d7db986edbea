import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { BorrowedVolumes } from './borrowed-volumes.js'
import { TestVolume } from './test-engine.js'

const SECTORS = 64 * 1024
const ROUNDS = 3

interface RacerData {
  racer: number
  descriptor: TestVolume['descriptor']
}

/** Both racers write every sector of the volume, the even and the odd ones in turns, so that each word is fought over. */
async function race({ racer, descriptor }: RacerData): Promise<void> {
  const engine = { ask: () => Promise.reject(new Error('the files are there')) }
  const volume = new BorrowedVolumes({ slot: racer, engine }).borrow(descriptor)
  const sector = Buffer.allocUnsafeSlow(512).fill(racer + 1)
  for (let round = 0; round < ROUNDS; round++) {
    for (let index = 0; index < SECTORS; index++) {
      const at = index ^ ((racer + round) & 1)
      if (volume.write(at * 512, sector, 0, 512) !== undefined) throw new Error('nothing waits here')
    }
  }
  volume.release()
}

if (!isMainThread && (workerData as Partial<RacerData> | null)?.descriptor) {
  await race(workerData as RacerData)
  parentPort?.postMessage('done')
} else {
  const { default: t } = await import('tap')
  t.test('two threads that race for the same words lose no bit and no count', async t => {
    const made = new TestVolume({ sizeBytes: SECTORS * 512, parent: '/dev/shm' })
    t.teardown(() => made.remove())
    const descriptor = { ...made.descriptor, files: made.makeFiles() }
    const racers = [0, 1].map(
      racer => new Worker(fileURLToPath(import.meta.url), { workerData: { racer, descriptor } }),
    )
    await Promise.all(racers.map(racer => once(racer, 'exit')))
    t.equal(made.control.allocatedSectors, SECTORS)
    t.equal(made.control.inFlight(), 0)
    const volume = made.worker(2).borrow(descriptor)
    const target = Buffer.allocUnsafeSlow(SECTORS * 512)
    t.equal(volume.read(0, target, 0, target.length), undefined)
    t.equal(target.indexOf(0), -1, 'every sector is one that somebody wrote')
    volume.release()
  })
}
