/** What is an event, which are kept, and that the level of the log has no say in it. */
import t from 'tap'
import { createLog } from '../log.js'
import { type ServerEvent, ServerEvents } from './server-events.js'

t.test('the log tells its events from info on, whatever its level; HTTP is left out', async t => {
  for (const level of ['debug', 'info', 'error', 'silent']) {
    const written: string[] = []
    const log = createLog(level, { write: text => void written.push(text) })
    const seen: ServerEvent[] = []
    log.events.listen(event => seen.push(event))
    log.debug({ event: 'worker.ready' })
    log.info({ event: 'session.opened', sessionId: 7 })
    log.warn({ event: 'http.warning' })
    log.error({ event: 'worker.died' })
    log.info('words alone')
    t.match(
      seen.map(({ level, fields }) => ({ level, ...fields })),
      [
        { level: 'info', event: 'session.opened', sessionId: 7 },
        { level: 'error', event: 'worker.died' },
      ],
    )
    t.equal(seen.length, 2)
    t.equal(written.length, { debug: 5, info: 4, error: 1, silent: 0 }[level], level)
  }
})

t.test('the last thousand are kept; what is lost before them is counted', async t => {
  const events = new ServerEvents()
  t.same(events.after(0), { events: [], lost: 0 })
  for (let number = 1; number <= 1_500; number++) events.take('info', { event: 'e', number })
  t.equal(events.last, 1_500)
  const all = events.after(0)
  t.equal(all.lost, 500)
  t.same(
    all.events.map(({ number }) => number),
    Array.from({ length: 1_000 }, (_, index) => index + 501),
  )
  t.ok(all.events.every(({ number, fields }) => fields['number'] === number))
  t.same(
    events.after(1_499).events.map(({ number }) => number),
    [1_500],
  )
  t.equal(events.after(1_499).lost, 0)
  t.same(events.after(1_500), { events: [], lost: 0 })
  t.same(events.after(9_999), { events: [], lost: 0 }, 'a number that was never given')
})

t.test('who does not listen any more is not told', async t => {
  const events = new ServerEvents()
  const seen: number[] = []
  const end = events.listen(({ number }) => seen.push(number))
  events.take('info', { event: 'a' })
  end()
  events.take('info', { event: 'b' })
  t.same(seen, [1])
})
