import t from 'tap'
import { COMMAND_WINDOW, CommandWindow, Numbering } from './numbering.js'

t.test('the next command is the one that ExpCmdSN names [7143 §4.2.2.1]', async t => {
  const window = new CommandWindow(7)
  t.equal(window.classify(7), 'next')
  t.equal(window.classify(8), 'early')
  t.equal(window.classify(6), 'outside')
})

t.test('a command beyond MaxCmdSN is outside of the window [7143 §4.2.2.1]', async t => {
  const window = new CommandWindow(0xffffffff)
  t.equal(window.maxCmdSn, COMMAND_WINDOW - 2)
  t.equal(window.classify(COMMAND_WINDOW - 2), 'early')
  t.equal(window.classify(COMMAND_WINDOW - 1), 'outside')
})

t.test('MaxCmdSN never moves back, and every ended task opens the window by one', async t => {
  const window = new CommandWindow(0xfffffff0)
  let highest = window.maxCmdSn
  for (let step = 0; step < COMMAND_WINDOW; step++) {
    window.advance()
    window.taskBegan()
    t.equal(window.maxCmdSn, highest)
  }
  t.equal(window.classify(window.expCmdSn), 'outside', 'a full window takes nothing')
  window.taskEnded()
  highest = (highest + 1) >>> 0
  t.equal(window.maxCmdSn, highest)
  t.equal(window.classify(window.expCmdSn), 'next')
})

t.test('StatSN counts responses modulo 2^32', async t => {
  const numbering = new Numbering(new CommandWindow(0), 0xffffffff)
  t.equal(numbering.takeStatSn(), 0xffffffff)
  t.equal(numbering.takeStatSn(), 0)
})

t.test(
  'connections of a session share ExpCmdSN and MaxCmdSN, and count StatSN for themselves [7143 §4.2.2.1, §4.2.2.2]',
  async t => {
    const window = new CommandWindow(5)
    const [one, other] = [new Numbering(window, 10), new Numbering(window, 20)]
    t.same(one.response(), { statSn: 10, expCmdSn: 5, maxCmdSn: 5 + COMMAND_WINDOW - 1 })
    window.advance()
    window.taskBegan()
    t.same(other.response(), { statSn: 20, expCmdSn: 6, maxCmdSn: 5 + COMMAND_WINDOW - 1 })
    t.same(one.notice(), { statSn: 11, expCmdSn: 6, maxCmdSn: 5 + COMMAND_WINDOW - 1 })
  },
)
