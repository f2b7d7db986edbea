// Tasks of a connection: how they are aborted, and how they are ended with an answer while their I/O is under way.

import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Command } from './command.js'
import { DataBudget } from './data-budget.js'
import { CommandWindow } from './numbering.js'
import { TaskSet } from './task-set.js'

function lab(_t: Test) {
  const told: string[] = []
  const tasks = new TaskSet(new CommandWindow(1), new DataBudget(), {
    flush: () => told.push('flush'),
    crash: error => told.push(String(error)),
    settled: () => told.push('settled'),
  })
  const task = (initiatorTaskTag: number) => {
    const command: Command = {
      initiatorTaskTag,
      lun: undefined,
      reads: false,
      writes: false,
      expectedBytes: 0,
      final: true,
      immediate: false,
      dataSn: 0,
      kept: false,
      io: 0,
      beganUs: 0,
    }
    return tasks.instant(command)
  }
  const answer = (command: Command) => {
    tasks.close(command)
    told.push(`ended ${command.initiatorTaskTag}`)
  }
  return { told, tasks, task, answer }
}

/** I/O that ends when the test says so. */
function io() {
  let end = () => {}
  const done = new Promise<void>(resolve => (end = resolve))
  return { done, end: () => end() }
}

t.test('a task whose I/O is under way is ended when that has settled, and its own answer is not given', async t => {
  const { told, tasks, task, answer } = lab(t)
  const [reading, other] = [io(), io()]
  const [one, two] = [task(1), task(2)]
  tasks.during(
    one,
    reading.done,
    () => told.push('answered 1'),
    () => t.fail(),
  )
  tasks.during(
    two,
    other.done,
    () => told.push('answered 2'),
    () => t.fail(),
  )
  const waiting = Promise.all(tasks.terminate(each => each === one, answer))
  await setImmediate()
  t.same(told, [], 'not before')
  t.equal(tasks.get(1), one, 'its tag is in use until it is answered')
  reading.end()
  await waiting
  t.same(
    told.filter(word => word !== 'flush'),
    ['ended 1'],
  )
  t.equal(tasks.get(1), undefined)
  other.end()
  await two.pending
  t.ok(told.includes('answered 2'), 'others go on')
})

t.test('a task without I/O is ended at once', async t => {
  const { told, tasks, task, answer } = lab(t)
  tasks.keep(task(1))
  t.same(
    tasks.terminate(() => true, answer),
    [],
  )
  t.same(told, ['ended 1', 'flush'])
})

t.test('who is aborted while he is being ended gets no answer', async t => {
  const { told, tasks, task, answer } = lab(t)
  const reading = io()
  tasks.during(
    task(1),
    reading.done,
    () => t.fail(),
    () => t.fail(),
  )
  const ending = tasks.terminate(() => true, answer)
  const aborting = tasks.abort(() => true)
  t.equal(aborting.length, 1, 'the abort waits for the I/O')
  reading.end()
  await Promise.all([...ending, ...aborting])
  t.notOk(told.includes('ended 1'))
})

t.test('a tag that is used again meanwhile is another task', async t => {
  const { told, tasks, task, answer } = lab(t)
  const reading = io()
  tasks.during(
    task(1),
    reading.done,
    () => t.fail(),
    () => t.fail(),
  )
  const ending = tasks.terminate(() => true, answer)
  void tasks.abort(() => true)
  tasks.keep(task(1))
  reading.end()
  await Promise.all(ending)
  t.notOk(told.includes('ended 1'))
  t.equal(tasks.size, 1)
})
