import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { BorrowedVolumes } from './borrowed-volumes.js'
import { countPresent, setPresent } from './sector-bits.js'
import { TestVolume } from './test-engine.js'

/** Half of what a container has as memory for files, unless told otherwise: 64 MiB. */
const SECTORS = 64 * 1024

interface RacerData {
  racer: number
  /** Bits that are fought over without any I/O in between, which would keep the racers apart. */
  words: Int32Array
  descriptor: TestVolume['descriptor']
  start: Int32Array
}

/**
 * Each sector once. In the first half each racer has every other one, so both set bits of the same words and a lost bit
 * stays lost; in the second half both write all, so both may count the same sector.
 */
async function race({ racer, descriptor, start, words }: RacerData): Promise<void> {
  const engine = { ask: () => Promise.reject(new Error('the files are there')) }
  const volume = new BorrowedVolumes({ slot: racer, engine }).borrow(descriptor)
  const sector = Buffer.allocUnsafeSlow(512).fill(racer + 1)
  Atomics.add(start, 0, 1)
  while (Atomics.load(start, 0) < 2);
  for (let bit = racer; bit < 32; bit += 2) {
    for (let word = 0; word < words.length; word++) setPresent(words, word * 32 + bit, 1)
  }
  for (let index = 0; index < SECTORS; index++) {
    if (index < SECTORS / 2 && (index & 1) !== racer) continue
    if (volume.write(index * 512, sector, 0, 512) !== undefined) throw new Error('nothing waits here')
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
    const start = new Int32Array(new SharedArrayBuffer(8))
    const words = new Int32Array(new SharedArrayBuffer(4 * 65536))
    const racers = [0, 1].map(
      racer => new Worker(fileURLToPath(import.meta.url), { workerData: { racer, descriptor, start, words } }),
    )
    await Promise.all(racers.map(racer => once(racer, 'exit')))
    t.equal(countPresent(words), words.length * 32)
    t.equal(made.control.space.allocatedSectors, SECTORS)
    t.equal(made.control.inFlight(), 0)
    const volume = made.worker(2).borrow(descriptor)
    const target = Buffer.allocUnsafeSlow(SECTORS * 512)
    t.equal(volume.read(0, target, 0, target.length), undefined)
    t.equal(target.indexOf(0), -1, 'every sector is one that somebody wrote')
    volume.release()
  })
}
