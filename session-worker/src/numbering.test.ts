import t from 'tap'
import { COMMAND_WINDOW, Numbering } from './numbering.js'

t.test('the next command is the one that ExpCmdSN names [7143 §4.2.2.1]', async t => {
  const numbering = new Numbering(7, 1)
  t.equal(numbering.classify(7), 'next')
  t.equal(numbering.classify(8), 'early')
  t.equal(numbering.classify(6), 'outside')
})

t.test('a command beyond MaxCmdSN is outside of the window [7143 §4.2.2.1]', async t => {
  const numbering = new Numbering(0xffffffff, 1)
  t.equal(numbering.maxCmdSn, COMMAND_WINDOW - 2)
  t.equal(numbering.classify(COMMAND_WINDOW - 2), 'early')
  t.equal(numbering.classify(COMMAND_WINDOW - 1), 'outside')
})

t.test('MaxCmdSN never moves back, and every ended task opens the window by one', async t => {
  const numbering = new Numbering(0xfffffff0, 1)
  let highest = numbering.maxCmdSn
  for (let step = 0; step < COMMAND_WINDOW; step++) {
    numbering.advance()
    numbering.taskBegan()
    t.equal(numbering.maxCmdSn, highest)
  }
  t.equal(numbering.classify(numbering.expCmdSn), 'outside', 'a full window takes nothing')
  numbering.taskEnded()
  highest = (highest + 1) >>> 0
  t.equal(numbering.maxCmdSn, highest)
  t.equal(numbering.classify(numbering.expCmdSn), 'next')
})

t.test('StatSN counts responses modulo 2^32', async t => {
  const numbering = new Numbering(0, 0xffffffff)
  t.equal(numbering.takeStatSn(), 0xffffffff)
  t.equal(numbering.takeStatSn(), 0)
})
