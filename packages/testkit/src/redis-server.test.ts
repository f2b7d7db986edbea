/** The Redis of a test: what was written is there after a crash, and nothing of it is left running. */
import { join } from 'node:path'
import t from 'tap'
import { RedisServer } from './redis-server.js'
import { testFolder } from './test-folder.js'

t.test('a write is there after SIGKILL and a restart; a new password counts', async t => {
  const redis = await RedisServer.start({ folder: join(testFolder(t), 'redis'), password: 'first' })
  t.teardown(() => redis.stop())
  t.match(redis.url, /^redis:\/\/:first@127\.0\.0\.1:\d+$/)
  t.equal(await redis.command('set', 'a', '1'), 'OK')
  await redis.kill()
  await t.rejects(redis.command('get', 'a'), /refused/)
  await redis.start()
  t.equal(await redis.command('get', 'a'), '1')
  await redis.changePassword('second')
  t.match(redis.url, ':second@')
  t.equal(await redis.command('get', 'a'), '1')
  await t.rejects(redis.command('incr'), /wrong number of arguments/)
})

t.test('a frozen one can be stopped, and settings are taken', async t => {
  const redis = await RedisServer.start({ folder: join(testFolder(t), 'redis'), settings: { maxmemory: '3mb' } })
  t.equal(await redis.command('config', 'get', 'maxmemory'), 'maxmemory\n3145728')
  redis.freeze()
  await redis.stop()
  await t.rejects(redis.command('ping'), /refused/)
})

t.test('one that is still writing the first file of its log is stopped when it has', async t => {
  const settings = { appendonly: 'no', 'rdb-key-save-delay': '500000' } // µs
  const redis = await RedisServer.start({ folder: join(testFolder(t), 'redis'), settings })
  t.teardown(() => redis.kill())
  await redis.command('mset', 'a', '1', 'b', '2')
  await redis.command('config', 'set', 'appendonly', 'yes')
  t.match(await redis.command('info', 'persistence'), /aof_rewrite_(in_progress|scheduled):1/)
  await redis.stop()
  await t.rejects(redis.command('ping'), /refused/)
})
