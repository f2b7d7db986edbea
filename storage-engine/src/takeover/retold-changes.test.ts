/** What an engine's thread had begun to tell when it ended, its successor tells to the end, also when nobody asks for it any more: real threads and ports. */
import { once } from 'node:events'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import {
  type BorrowerRequest,
  type EngineNote,
  type EngineNotice,
  type EngineReplies,
  type EngineRequest,
  Requester,
  type VolumeRecord,
} from '@scsipub/contract'
import type { ReservationAction } from '@scsipub/scsi'
import t, { type Test } from 'tap'
import { engineData, remove, spec, temporaryDirectory } from '../test-bench.js'

const A = 'iqn.2025-01.test:a,i,0x000000000001'
const B = 'iqn.2025-01.test:b,i,0x000000000001'
const KEY = { [A]: '00000000000000aa', [B]: '00000000000000bb' }

/** An engine's thread, and what the supervisor knows by its notes. */
class Thread {
  readonly worker = new Worker(new URL('../main.js', import.meta.url))
  readonly supervisor = new Requester<EngineRequest, EngineReplies>(this.worker)

  constructor(data: ReturnType<typeof engineData>, records: Map<string, VolumeRecord>) {
    this.worker.on('message', (message: EngineNote) => {
      if (this.supervisor.accept(message) || message.kind !== 'volume.noted') return
      records.set(message.volumeId, { ...records.get(message.volumeId), ...message.changed } as VolumeRecord)
    })
    this.worker.postMessage(data)
  }

  async attach(t: Test, slot: number): Promise<Attached> {
    const { port1, port2 } = new MessageChannel()
    t.teardown(() => port1.close())
    await this.supervisor.ask({ kind: 'worker.attach', slot, port: port2 }, [port2])
    return new Attached(port1)
  }
}

/** A session worker, as the engine knows it. It answers a notice when the test has it do so. */
class Attached {
  readonly engine: Requester<BorrowerRequest, EngineReplies>
  readonly #heard: EngineNotice[] = []
  #wake = () => {}

  constructor(port: MessagePort) {
    this.engine = new Requester<BorrowerRequest, EngineReplies>(port)
    port.on('message', (message: EngineNotice) => {
      if (this.engine.accept(message)) return
      this.#heard.push(message)
      this.#wake()
    })
  }

  /** The next change of reservations that it is told of. */
  async told(): Promise<Extract<EngineNotice, { kind: 'reservation.changed' }>> {
    for (;;) {
      const next = this.#heard.shift()
      if (next?.kind === 'reservation.changed') return next
      if (!next) await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }

  change(port: string, changeId: number, action: ReservationAction): Promise<unknown> {
    return this.engine.ask({ kind: 'reservation.change', volumeId: 'disk', port, changeId, action })
  }
}

const register = (port: typeof A | typeof B): ReservationAction => ({
  name: 'register',
  key: '',
  newKey: KEY[port]!,
  ignoreKey: true,
  persist: false,
  allTargetPorts: false,
})

t.test('a worker that had not answered hears of a change again whose asker is gone, by the same number', async t => {
  const dataDir = temporaryDirectory()
  t.teardown(() => remove(dataDir))
  const data = engineData(dataDir)
  const records = new Map<string, VolumeRecord>()
  const first = new Thread(data, records)
  await first.supervisor.ask({ kind: 'volume.open', spec: spec('disk') })
  const asker = await first.attach(t, 0)
  const other = await first.attach(t, 1)
  await asker.change(A, 1, register(A))
  await asker.change(B, 2, register(B))
  asker.change(B, 3, { name: 'clear', key: KEY[B]! }).catch(() => {}) // its answer never comes
  const before = await other.told()
  t.match(before, { volumeId: 'disk', attentions: [{ port: A, condition: 'reservationsPreempted' }] })
  await first.worker.terminate()

  const next = new Thread({ ...data, taken: [...records.values()] }, records)
  const survivor = await next.attach(t, 1)
  await next.supervisor.ask({ kind: 'engine.resume' })
  t.same(await survivor.told(), before)
  await survivor.engine.ask({ kind: 'notice.done', noticeId: before.noticeId })
  t.same(await survivor.engine.ask({ kind: 'reservation.read', volumeId: 'disk' }), {
    state: { ...records.get('disk')?.reservations, registrations: [] },
    canPersist: true,
  })
  const exit = once(next.worker, 'exit') // which may come with the answer
  await next.supervisor.ask({ kind: 'engine.close' })
  t.same(await exit, [0])
})
