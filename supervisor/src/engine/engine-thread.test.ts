/** A thread of the storage engine that was started ahead and is not needed. */
import { readdirSync, readlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setTimeout } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { EngineThread } from './engine-thread.js'

const ENTRY = pathToFileURL(createRequire(import.meta.url).resolve('@scsipub/storage-engine/main'))
const STEP_MS = 20

/** Files of code that this process has open. */
function openCode(): string[] {
  return readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      const file = readlinkSync(`/proc/self/fd/${fd}`)
      return file.endsWith('.js') ? [file] : []
    } catch {
      return [] // the one of the list itself
    }
  })
}

t.test('one that is ended while it loads its code leaves no file open', async t => {
  const before = openCode()
  for (let step = 0; step < 12; step++) {
    const ends: string[] = []
    const nothing = () => {}
    const thread = new EngineThread({ entry: ENTRY, hear: nothing, onReady: nothing, onEnd: why => ends.push(why) })
    await setTimeout(step * STEP_MS)
    await thread.end('it is not needed')
    t.same(ends, ['it is not needed'])
  }
  t.same(openCode(), before)
})
