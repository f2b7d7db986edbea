/** Persistent volumes that are opened as they are, listed, and deleted for good. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { bench, bytes, remove, spec, temporaryDirectory } from './test-bench.js'

function place(): string {
  const directory = temporaryDirectory()
  t.teardown(() => remove(directory))
  return directory
}

t.test('a volume is reopened as it is, whatever one knows of it; one that is not there is not made', async t => {
  const dataDir = place()
  const { engine } = bench(dataDir)
  await t.rejects(engine.reopen('disk'), { code: 'missing' })
  await t.rejects(engine.reopen('../lock'), { code: 'missing' })
  t.same(engine.persistent(), [])
  const made = await engine.open(spec('disk'))
  t.equal(await engine.reopen('disk'), made, 'the open one')
  await engine.destroy('disk')
  const again = await engine.reopen('disk')
  t.same(again.spec, made.spec)
  t.same(again.identity, made.identity)
  t.same(engine.persistent(), ['disk'])
  await engine.close()
})

t.test('a removed volume is gone, open or closed, and its name is free for another one', async t => {
  const dataDir = place()
  const { engine, workers } = bench(dataDir)
  for (const ending of ['open', 'closed']) {
    const first = await engine.open(spec('disk'))
    const volume = workers.borrow(first)
    await volume.write(0, bytes(7), 0, 4096)
    volume.release()
    if (ending === 'closed') await engine.destroy('disk')
    const removal = engine.remove('disk')
    const second = await engine.open(spec('disk'))
    await removal
    t.not(second.identity.serial, first.identity.serial, `when it was ${ending}`)
    const fresh = workers.borrow(second)
    const target = bytes(1)
    await fresh.read(0, target, 0, 4096)
    t.equal(target[0], 0)
    fresh.release()
    await engine.remove('disk')
    await engine.remove('disk') // none is no error
    t.same(readdirSync(join(dataDir, 'volumes')), [])
  }
  await t.rejects(engine.remove('../volumes'), { code: 'bad-request' })
  await engine.close()
})

t.test('a damaged volume can be removed; a removal that was interrupted is finished at the next start', async t => {
  const dataDir = place()
  mkdirSync(join(dataDir, 'volumes', 'damaged'), { recursive: true })
  writeFileSync(join(dataDir, 'volumes', 'damaged', 'volume.json'), '{')
  mkdirSync(join(dataDir, 'volumes', '.removing-x'))
  const { engine } = bench(dataDir)
  t.notOk(existsSync(join(dataDir, 'volumes', '.removing-x')))
  await t.rejects(engine.reopen('damaged'), { code: 'damaged' })
  await engine.remove('damaged')
  t.same(readdirSync(join(dataDir, 'volumes')), [])
  await engine.close()
})
