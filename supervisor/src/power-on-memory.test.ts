/** What is remembered of a TARGET COLD RESET: each nexus once, no target at the cost of another, and no more than so many. */
import t from 'tap'
import { MAX_NEXUSES_PER_TARGET, PowerOnMemory } from './power-on-memory.js'

t.test('a nexus is told once, and only of its own target [SAM-5 §5.14]', async t => {
  const memory = new PowerOnMemory()
  memory.remember('disk', 'a')
  memory.remember('disk', 'a')
  t.equal(memory.take('other', 'a'), false)
  t.equal(memory.take('disk', 'b'), false)
  t.equal(memory.take('disk', 'a'), true)
  t.equal(memory.take('disk', 'a'), false)
})

t.test('one more than the most: the oldest is forgotten, and none of another target', async t => {
  const memory = new PowerOnMemory()
  memory.remember('other', 'first')
  for (let number = 0; number < MAX_NEXUSES_PER_TARGET; number++) memory.remember('disk', `nexus ${number}`)
  memory.remember('disk', 'nexus 0')
  memory.remember('disk', 'one more')
  t.equal(memory.take('disk', 'nexus 1'), false, 'the oldest')
  t.equal(memory.take('disk', 'nexus 0'), true, 'it was reset again')
  t.equal(memory.take('disk', 'nexus 2'), true)
  t.equal(memory.take('disk', 'one more'), true)
  t.equal(memory.take('other', 'first'), true)
})
