import { existsSync, readlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { deserialize, serialize } from 'node:v8'
import { MessageChannel } from 'node:worker_threads'
import {
  type BorrowerRequest,
  type EngineReplies,
  Requester,
  type VolumeDescriptor,
  type VolumeSpec,
} from '@scsipub/contract'
import { dup } from '@scsipub/posix'
import { testFolder } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { type AttachedWorker, Engine, type InheritedEngine } from './engine.js'
import { createLog } from './log.js'

const ENGINE = pathToFileURL(createRequire(import.meta.url).resolve('@scsipub/storage-engine/main'))
const log = createLog('silent')
const failures: string[] = []

function spec(volumeId: string, persistence: VolumeSpec['persistence']): VolumeSpec {
  return { volumeId, persistence, sizeBytes: 1 << 20, blockBytes: 512, quotaBytes: 0 }
}

/** What a descriptor of this process leads to; nothing when it is closed. */
function linkOf(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return undefined
  }
}

function start(t: Test, dataDir: string, inherited?: InheritedEngine): Engine {
  const engine = new Engine({
    entry: ENGINE,
    dataDir,
    logLevel: 'silent',
    log,
    inherited,
    onFailure: why => void failures.push(why),
  })
  t.teardown(() => engine.terminate())
  return engine
}

/** A worker that asks, and goes on with the port to another engine. */
async function worker(engine: Engine, slot: number): Promise<Requester<BorrowerRequest, EngineReplies>> {
  const { port1, port2 } = new MessageChannel()
  const requester = new Requester<BorrowerRequest, EngineReplies>(port1)
  const listen = (port: typeof port1) => port.on('message', message => requester.accept(message))
  listen(port1)
  const attached: AttachedWorker = {
    slot,
    tell: notice => {
      if (notice.kind !== 'engine.port') return
      listen(notice.port)
      requester.connect(notice.port)()
    },
  }
  await engine.attach(attached, port2)
  return requester
}

const compareAndWrite = (volumeId: string, from: number, to: number, operationId: number) =>
  ({
    kind: 'volume.exclusive',
    volumeId,
    sessionId: 3,
    port: 'host',
    operationId,
    operation: {
      name: 'compareAndWrite',
      position: 0,
      data: Buffer.concat([Buffer.alloc(512, from), Buffer.alloc(512, to)]),
    },
  }) as const

t.test('another process goes on with volumes, anonymous ones too, reservations and the data directory', async t => {
  const dataDir = testFolder(t)
  const old = start(t, dataDir)
  const disk = await old.ask({ kind: 'volume.open', spec: spec('disk', 'persistent') })
  const scratch = await old.ask({ kind: 'volume.open', spec: spec('scratch', 'ephemeral') })
  const host = await worker(old, 0)
  for (const volumeId of ['disk', 'scratch']) t.same(await host.ask(compareAndWrite(volumeId, 0, 5, 0.1)), {})
  const action = { name: 'register', key: '0000000000000000', newKey: '00000000000000a1', ignoreKey: false } as const
  const register = { ...action, persist: false, allTargetPorts: false }
  t.same(
    await host.ask({ kind: 'reservation.change', volumeId: 'disk', port: 'host', changeId: 0.2, action: register }),
    {},
  )
  const before = await host.ask({ kind: 'reservation.read', volumeId: 'disk' })

  const { state, lockFd } = await old.export()
  const waiting = host.ask(compareAndWrite('disk', 5, 6, 0.3))
  const next = start(t, dataDir, { state: deserialize(serialize(state)), lockFd: dup(lockFd) })
  const same = ({ spec, identity }: VolumeDescriptor) => ({ spec, identity })
  const again = await next.ask({ kind: 'volume.reopen', volumeId: 'disk' })
  t.same(same(again), same(disk))
  t.not(again.control, disk.control, 'in memory of its own')
  t.same(same(await next.ask({ kind: 'volume.open', spec: spec('scratch', 'ephemeral') })), same(scratch))
  t.ok(existsSync(join(dataDir, 'ephemeral', 'scratch', 'overlay')))
  const guest = await worker(next, 0)
  t.same(await guest.ask({ kind: 'reservation.read', volumeId: 'disk' }), before, 'PRGENERATION too')
  t.same(await guest.ask(compareAndWrite('scratch', 5, 7, 0.4)), {}, 'the content is there')
  await next.close()

  t.comment('the other process leaves again, and this one goes on')
  old.resume()
  t.same(await waiting, {}, 'what was asked meanwhile is done')
  t.same(await host.ask({ kind: 'reservation.read', volumeId: 'disk' }), before)
  await old.close()
  t.same(failures, [])
})

t.test('the data directory is held while an engine is replaced, and free when the server has closed it', async t => {
  const dataDir = testFolder(t)
  const engine = start(t, dataDir)
  await engine.ask({ kind: 'engine.ping' })
  const { lockFd } = await engine.export()
  t.equal(linkOf(lockFd), join(dataDir, 'lock'))
  const other = start(t, dataDir)
  await t.rejects(other.ask({ kind: 'engine.ping' }), { message: /another server uses it/ })
  t.match(failures.splice(0), [/another server uses it/])
  await other.terminate()
  engine.resume()
  await engine.ask({ kind: 'engine.ping' })
  await engine.close()
  t.not(linkOf(lockFd), join(dataDir, 'lock'))
  const later = start(t, dataDir)
  await later.ask({ kind: 'engine.ping' })
  await later.close()
})
