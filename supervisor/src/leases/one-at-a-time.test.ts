/** Turns that are held, and those that are not: sessions come and go until they rest themselves. */
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { OneAtATime } from './one-at-a-time.js'

t.test(
  'what is held begins when it is let go, what passes begins at once, and quiet is when nothing is done',
  async t => {
    const turns = new OneAtATime()
    const done: string[] = []
    const hold = turns.hold()
    const held = turns.run('a', async () => void done.push('held'))
    let end = () => {}
    const passing = turns.run('b', () => new Promise<void>(resolve => (end = resolve)), { passes: true })
    await setImmediate()
    const quiet = hold.quiet().then(() => done.push('quiet'))
    await setImmediate()
    t.same(done, [])
    end()
    await Promise.all([passing, quiet])
    t.same(done, ['quiet'])
    hold.letGo()
    await held
    t.same(done, ['quiet', 'held'])
  },
)
