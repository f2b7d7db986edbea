import t from 'tap'
import { BusyPoll, SPIN_MS, TRY_EVERY } from './busy-poll.js'

/** A clock that stands, and an event loop that turns when it is told. */
function setUp() {
  let now = 0
  let deferred: (() => void)[] = []
  const poll = new BusyPoll({ now: () => now, defer: callback => void deferred.push(callback) })
  const turn = () => {
    const callbacks = deferred
    deferred = []
    for (const callback of callbacks) callback()
  }
  /** Lets time pass until the worker sleeps. */
  const sleep = () => {
    now += SPIN_MS
    turn()
  }
  const input = (afterMs = 0) => {
    now += afterMs
    poll.input(now)
  }
  const firstTry = () => {
    for (let count = 0; count < TRY_EVERY; count++) input()
  }
  return { poll, turn, sleep, input, firstTry, waiting: () => deferred.length }
}

t.test('one input in sixteen is followed by a try, and a try that fails changes nothing', async t => {
  const { poll, sleep, input } = setUp()
  for (let round = 0; round < 3; round++) {
    for (let count = 1; count < TRY_EVERY; count++) {
      input()
      t.equal(poll.spinning, false)
    }
    input()
    t.equal(poll.spinning, true)
    sleep()
    t.equal(poll.spinning, false)
  }
})

t.test('input within the moment prolongs it, and once it pays every input is followed by one', async t => {
  const { poll, turn, sleep, input, firstTry } = setUp()
  firstTry()
  for (let count = 0; count < 4; count++) {
    input(SPIN_MS / 2)
    turn()
    t.equal(poll.spinning, true)
  }
  sleep()
  input(1)
  t.equal(poll.spinning, true, 'without a sixteenth of the inputs')
})

t.test('misses use up what hits have earned', async t => {
  const { poll, turn, sleep, input, firstTry } = setUp()
  firstTry()
  for (let count = 0; count < 100; count++) {
    input(SPIN_MS / 2)
    turn()
  }
  let spins = 0
  for (; spins < 20; spins++) {
    sleep()
    input(1)
    if (!poll.spinning) break
  }
  t.ok(spins > 0 && spins <= 4, `${spins} misses in a row are paid for`)
})

t.test('one turn of the loop is waited for at a time, however much comes in', async t => {
  const { input, firstTry, waiting } = setUp()
  firstTry()
  for (let count = 0; count < 10; count++) input()
  t.equal(waiting(), 1)
})
