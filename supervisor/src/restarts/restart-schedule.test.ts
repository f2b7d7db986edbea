/** When restarts are due by the clock. */
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { nextRestart, RestartSchedule } from './restart-schedule.js'

const HOUR_MS = 3_600_000
const local = (text: string) => new Date(text).getTime()

t.test('every so many hours counts from the last time', t => {
  t.equal(nextRestart({ everyHours: 24 }, 5), 5 + 24 * HOUR_MS)
  t.equal(nextRestart({}, 5), undefined)
  t.end()
})

t.test('a time of the day is today or tomorrow, by the local clock', t => {
  t.equal(nextRestart({ at: '04:30' }, local('2030-03-10T03:00:00')), local('2030-03-10T04:30:00'))
  t.equal(nextRestart({ at: '04:30' }, local('2030-03-10T04:30:00')), local('2030-03-11T04:30:00'), 'never twice')
  t.equal(nextRestart({ at: '00:00' }, local('2030-12-31T12:00:00')), local('2031-01-01T00:00:00'))
  t.end()
})

t.test('on the days when the clock is changed there is one restart too', t => {
  const zone = process.env['TZ']
  process.env['TZ'] = 'Europe/Berlin'
  t.teardown(() => {
    if (zone === undefined) delete process.env['TZ']
    else process.env['TZ'] = zone
  })
  const skipped = nextRestart({ at: '02:30' }, Date.UTC(2030, 2, 30, 12)) ?? 0
  t.equal(skipped, Date.UTC(2030, 2, 31, 1, 30), '02:30 is not there on that day; 03:30 in summer time is')
  t.equal(nextRestart({ at: '02:30' }, skipped), Date.UTC(2030, 3, 1, 0, 30))
  const first = nextRestart({ at: '02:30' }, Date.UTC(2030, 9, 26, 12)) ?? 0
  t.equal(nextRestart({ at: '02:30' }, first), Date.UTC(2030, 9, 28, 1, 30), 'not at the second 02:30 of that day')
  t.end()
})

t.test('the schedule rings, arms itself again, and is quiet when it is closed', async t => {
  let now = local('2030-03-10T04:29:59.950')
  let rings = 0
  const schedule = new RestartSchedule(
    { at: '04:30' },
    async () => {
      rings++
      throw new Error('refused')
    },
    () => now,
  )
  t.teardown(() => schedule.close())
  now += 100
  while (rings === 0) await setTimeout(10)
  await setTimeout(50)
  t.equal(rings, 1)
  schedule.close()
})
