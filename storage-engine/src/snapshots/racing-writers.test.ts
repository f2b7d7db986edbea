/**
 * Snapshots of two volumes that threads write to as fast as they can, by the engine's own thread and messages. Each write is one sector further than the
 * thread's last, to the one volume first and then to the other, so that what a snapshot holds shows at which moment it was taken.
 */
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { isMainThread, MessageChannel, type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads'
import {
  type BorrowerRequest,
  type EngineNotice,
  type EngineReplies,
  type EngineRequest,
  Requester,
  type VolumeDescriptor,
} from '@scsipub/contract'
import { type BorrowedVolume, BorrowedVolumes } from '@scsipub/volume'
import { bench, bytes, engineData, MIB, remove, spec, temporaryDirectory } from '../test-bench.js'

/** Sectors that each thread has in each volume, one thread's behind the other's. */
const SECTORS = 32 * 1024
const THREADS = 2
/** After so long an initiator takes a command for lost. */
const PATIENCE_MS = 30_000
const STOP = 0
const COUNTS = 1

interface WriterData {
  descriptors: [VolumeDescriptor, VolumeDescriptor]
  thread: number
  port: MessagePort
  /** A word to stop by; then for each thread how many writes to the second volume were answered, and how many to the first begun. */
  shared: Int32Array
}

/** A session worker, as far as volumes go. */
function worker({ port, thread }: WriterData): BorrowedVolumes {
  const engine = new Requester<BorrowerRequest, EngineReplies>(port)
  const volumes = new BorrowedVolumes({ slot: thread, engine })
  port.on('message', (message: EngineNotice) => {
    if (engine.accept(message)) return
    if (message.kind === 'gate.opened') return volumes.gateOpened(message.volumeId)
    if (message.kind === 'volume.replaced') volumes.replaced(message.descriptor)
    void engine.ask({ kind: 'notice.done', noticeId: message.noticeId })
  })
  return volumes
}

async function write(data: WriterData): Promise<void> {
  const { descriptors, thread, shared, port } = data
  const volumes = worker(data)
  const [first, second] = descriptors.map(descriptor => volumes.borrow(descriptor)) as [BorrowedVolume, BorrowedVolume]
  const sector = bytes(0, 512)
  let longestMs = 0
  for (let count = 1; count < SECTORS && Atomics.load(shared, STOP) === 0; count++) {
    sector.fill(0).writeUInt32LE(count, 0)
    Atomics.store(shared, COUNTS + 2 * thread + 1, count)
    const began = performance.now()
    for (const volume of [first, second]) {
      const waits = volume.write((thread * SECTORS + count) * 512, sector, 0, 512)
      if (waits !== undefined) await waits
    }
    longestMs = Math.max(longestMs, performance.now() - began)
    Atomics.store(shared, COUNTS + 2 * thread, count)
    // A session worker hears of its messages in between, too.
    if (count % 8 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  // Whoever has written all its sectors stays: the engine waits for its answers.
  while (Atomics.load(shared, STOP) === 0) await new Promise(resolve => setTimeout(resolve, 1))
  parentPort?.postMessage({ longestMs, grown: first.sizeBytes > descriptors[0].spec.sizeBytes })
  port.close()
}

/** How many of a thread's sectors a volume holds, one after the other from 1 on; -1 when there is a gap. */
async function prefix(volume: BorrowedVolume, thread: number): Promise<number> {
  const all = Buffer.alloc(SECTORS * 512)
  await volume.read(thread * SECTORS * 512, all, 0, all.length)
  let last = 0
  for (let sector = 1; sector < SECTORS; sector++) {
    const found = all.readUInt32LE(sector * 512)
    if (found === 0) continue
    if (found !== sector || last !== sector - 1) return -1
    last = sector
  }
  return last
}

if (!isMainThread && (workerData as Partial<WriterData> | null)?.shared) {
  await write(workerData as WriterData)
} else {
  const { default: t } = await import('tap')
  t.test(
    'a snapshot holds every write that was answered before it was asked for, and none begun after it was',
    async t => {
      const dataDir = temporaryDirectory()
      t.teardown(() => remove(dataDir))
      const thread = new Worker(new URL('../main.js', import.meta.url))
      thread.postMessage(engineData(dataDir))
      const supervisor = new Requester<EngineRequest, EngineReplies>(thread)
      thread.on('message', message => supervisor.accept(message))
      const ready = once(thread, 'message')
      const open = (volumeId: string) =>
        supervisor.ask({ kind: 'volume.open', spec: spec(volumeId, { sizeBytes: THREADS * SECTORS * 512 }) })
      const descriptors = [await open('a'), await open('b')] as WriterData['descriptors']
      const shared = new Int32Array(new SharedArrayBuffer(4 * (COUNTS + 2 * THREADS)))
      const writers: Worker[] = []
      for (let slot = 0; slot < THREADS; slot++) {
        const { port1, port2 } = new MessageChannel()
        await supervisor.ask({ kind: 'worker.attach', slot, port: port2 }, [port2])
        const data: WriterData = { descriptors, thread: slot, port: port1, shared }
        writers.push(new Worker(new URL(import.meta.url), { workerData: data, transferList: [port1] }))
      }
      const ended = writers.map(writer => once(writer, 'message') as Promise<[{ longestMs: number; grown: boolean }]>)
      while (Atomics.load(shared, COUNTS) < 100) await new Promise(resolve => setImmediate(resolve))
      const rounds: { answered: number[]; begun: number[]; pausedMs: number }[] = []
      for (let round = 0; round < 5; round++) {
        const answered = writers.map((_, index) => Atomics.load(shared, COUNTS + 2 * index))
        const { pausedMs } = await supervisor.ask({
          kind: 'volume.snapshot',
          items: [
            { volumeId: 'a', snapshotId: `a${round}` },
            { volumeId: 'b', snapshotId: `b${round}` },
          ],
        })
        const begun = writers.map((_, index) => Atomics.load(shared, COUNTS + 2 * index + 1))
        rounds.push({ answered, begun, pausedMs })
        if (round === 2)
          await supervisor.ask({ kind: 'volume.resize', volumeId: 'a', sizeBytes: THREADS * SECTORS * 512 + 8 * MIB })
      }
      Atomics.store(shared, STOP, 1)
      const results = await Promise.all(ended)
      const exit = once(thread, 'exit') // which may come with the answer
      await supervisor.ask({ kind: 'engine.close' })
      await exit
      closeSync(((await ready)[0] as { lockFd: number }).lockFd)
      t.same(
        results.map(([{ grown }]) => grown),
        [true, true],
        'each has seen its volume grow',
      )
      const { engine, workers } = bench(dataDir)
      const look = async (volumeId: string, baseSnapshot: string) => {
        const { sizeBytes } = (await engine.snapshots.list()).snapshots.find(one => one.snapshotId === baseSnapshot)!
        return workers.borrow(await engine.open(spec(volumeId, { sizeBytes, baseSnapshot, persistence: 'ephemeral' })))
      }
      for (const [round, { answered, begun, pausedMs }] of rounds.entries()) {
        const a = await look(`look-a${round}`, `a${round}`)
        const b = await look(`look-b${round}`, `b${round}`)
        for (let slot = 0; slot < THREADS; slot++) {
          const [inA, inB] = [await prefix(a, slot), await prefix(b, slot)]
          t.ok(inB >= answered[slot]!, `round ${round}: ${inB} sectors, ${answered[slot]} answered before`)
          t.ok(inA <= begun[slot]!, `${inA} sectors, ${begun[slot]} begun at the end`)
          t.ok(inA === inB || inA === inB + 1, `both at one moment: ${inA} and ${inB}`)
        }
        t.ok(pausedMs < PATIENCE_MS, `I/O waited for ${pausedMs.toFixed(1)} ms`)
      }
      const [disk] = [workers.borrow(await engine.reopen('b'))]
      for (let slot = 0; slot < THREADS; slot++)
        t.equal(await prefix(disk, slot), Atomics.load(shared, COUNTS + 2 * slot), 'no answered write is lost')
      t.comment(`longest write ${results.map(([{ longestMs }]) => longestMs.toFixed(1))} ms`)
      await engine.close()
    },
  )
}
