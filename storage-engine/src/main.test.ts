import { once } from 'node:events'
import { isMainThread, MessageChannel, parentPort, threadId, Worker, workerData } from 'node:worker_threads'
import {
  type BorrowerRequest,
  ControlBlock,
  type EngineNotice,
  type EngineReplies,
  type EngineRequest,
  Requester,
  type VolumeDescriptor,
} from '@scsipub/contract'
import { BorrowedVolumes } from '@scsipub/volume'
import { bench, bytes, engineData, remove, spec, temporaryDirectory } from './test-bench.js'
import { Reader } from './test-reader.js'

interface HammerData {
  descriptor: VolumeDescriptor
  stop: Int32Array
  slot: number
}

/** A worker that writes its volume as fast as it can, each time another number into the first sectors. */
async function hammer({ descriptor, stop, slot }: HammerData): Promise<void> {
  const engine = { ask: () => Promise.reject(new Error('the files are there')) }
  const volume = new BorrowedVolumes({ slot, engine }).borrow(descriptor)
  const block = Buffer.allocUnsafeSlow(8192)
  for (let count = 1; Atomics.load(stop, 0) === 0; count++) {
    block.fill(count & 0xff)
    const waits = volume.write(0, block, 0, block.length)
    if (count === 1000) parentPort?.postMessage(`hammering from thread ${threadId}`)
    if (waits !== undefined) await waits
  }
  volume.release()
}

if (!isMainThread && (workerData as Partial<HammerData> | null)?.stop) {
  await hammer(workerData as HammerData)
} else {
  const { default: t } = await import('tap')
  const place = () => {
    const directory = temporaryDirectory()
    t.teardown(() => remove(directory))
    return directory
  }

  t.test('nothing lands between the closing and the opening of the gate, however hard a worker writes', async t => {
    const { engine, workers } = bench(place())
    const descriptor = await engine.open(spec('disk'))
    const volume = workers.borrow(descriptor)
    const stop = new Int32Array(new SharedArrayBuffer(4))
    const worker = new Worker(new URL(import.meta.url), { workerData: { descriptor, stop, slot: 1 } })
    await once(worker, 'message')
    const control = new ControlBlock(descriptor.control)
    const reader = new Reader(descriptor)
    const seen = new Set<number>()
    for (let round = 0; round < 40; round++) {
      const before = reader.read()
      await engine.exclusive('disk', async () => {
        const first = reader.read()
        seen.add(first[0] ?? 0)
        t.equal(
          first.every(byte => byte === first[0]),
          true,
          'no write is half done',
        )
        await new Promise(resolve => setTimeout(resolve, 3))
        t.equal(first.equals(reader.read()), true, 'and none begins')
        t.equal(control.inFlight(), 0)
      })
      // Nobody tells that thread of the gate, so it looks by itself every 20 ms.
      while (reader.read().equals(before)) await new Promise(resolve => setTimeout(resolve, 5))
    }
    t.ok(seen.size > 5, `the worker went on in between: ${seen.size} different contents`)
    Atomics.store(stop, 0, 1)
    await once(worker, 'exit')
    reader.close()
    volume.release()
    await engine.close()
  })

  t.test('exclusive actions of one volume run one after another; another volume is not held up', async t => {
    const { engine } = bench(place())
    await engine.open(spec('a'))
    await engine.open(spec('b'))
    const events: string[] = []
    let end = () => {}
    const held = new Promise<void>(resolve => (end = resolve))
    const slow = engine.exclusive('a', async () => {
      events.push('a1 begins')
      await held
      events.push('a1 ends')
    })
    const next = engine.exclusive('a', () => events.push('a2'))
    await engine.exclusive('b', () => events.push('b'))
    await new Promise(resolve => setTimeout(resolve, 50))
    end()
    await Promise.all([slow, next])
    t.same(events, ['a1 begins', 'b', 'a1 ends', 'a2'])
    await engine.close()
  })

  t.test('what a dead worker had in flight holds the gate until the worker is detached', async t => {
    const { engine } = bench(place())
    const control = new ControlBlock((await engine.open(spec('disk'))).control)
    control.enter(5)
    await t.rejects(
      engine.exclusive('disk', () => t.fail('must not run'), 30),
      { code: 'busy' },
    )
    t.equal(control.gateClosed, false, 'the gate is open again')
    const waiting = engine.exclusive('disk', () => 'ran', 600_000)
    await engine.detach(5)
    t.equal(await waiting, 'ran')
    await engine.close()
  })

  t.test('the thread answers the supervisor and its workers, and outlives a wrong message', async t => {
    const dataDir = place()
    const { worker, supervisor } = start(dataDir)
    const descriptor = await supervisor.ask({ kind: 'volume.open', spec: spec('disk') })
    const scratch = await supervisor.ask({ kind: 'volume.open', spec: spec('scratch', { persistence: 'ephemeral' }) })
    const { port1, port2 } = new MessageChannel()
    const engine = new Requester<BorrowerRequest, EngineReplies>(port1)
    const volumes = new BorrowedVolumes({ slot: 3, engine })
    const notices: EngineNotice[] = []
    port1.on('message', (message: EngineNotice) => {
      if (engine.accept(message)) return
      notices.push(message)
      volumes.gateOpened((message as { volumeId: string }).volumeId)
    })
    await supervisor.ask({ kind: 'worker.attach', slot: 3, port: port2 }, [port2])
    const [disk, other] = [volumes.borrow(descriptor), volumes.borrow(scratch)]
    await disk.write(0, bytes(1), 0, 4096)
    await disk.flush()
    await other.write(0, bytes(2), 0, 4096)
    await t.rejects(supervisor.ask({ kind: 'volume.open', spec: spec('../x') }), {
      code: 'bad-request',
      message: /volumeId/,
    })
    const unknown = { kind: 'volume.unknown' } as unknown as { kind: 'engine.close' }
    await t.rejects(supervisor.ask(unknown), { code: 'bad-request', message: /contract/ })
    await supervisor.ask({ kind: 'volume.destroy', volumeId: 'scratch' })
    // The notice and the answer come by different ports.
    while (notices.length === 0) await new Promise(resolve => setImmediate(resolve))
    t.same(notices, [{ kind: 'gate.opened', volumeId: 'scratch' }])
    t.throws(() => other.write(0, bytes(2), 0, 4096), { code: 'gone' })
    await supervisor.ask({ kind: 'worker.detach', slot: 3 })
    const exit = once(worker, 'exit') as Promise<[number]> // which may come with the answer
    await supervisor.ask({ kind: 'engine.close' })
    const [code] = await exit
    t.equal(code, 0)
    port1.close()
  })

  t.test('a data directory in use ends the thread with one line', async t => {
    const dataDir = place()
    const { engine } = bench(dataDir)
    const { worker } = start(dataDir)
    const [error] = (await once(worker, 'error')) as [Error]
    t.match(error.message, /^cannot use the data directory .*another server uses it/)
    await engine.close()
  })

  function start(dataDir: string): { worker: Worker; supervisor: Requester<EngineRequest, EngineReplies> } {
    const worker = new Worker(new URL('./main.js', import.meta.url))
    worker.postMessage(engineData(dataDir))
    const supervisor = new Requester<EngineRequest, EngineReplies>(worker)
    worker.on('message', message => supervisor.accept(message))
    return { worker, supervisor }
  }
}
