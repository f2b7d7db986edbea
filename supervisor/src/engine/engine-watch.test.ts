import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { EngineWatch } from './engine-watch.js'

/** Watches beats that stand still until somebody is ended, or for so many looks; what came of it. */
async function looked(counted: (stepMs: number) => number, looks: number): Promise<string[]> {
  const news: string[] = []
  let count = 0
  const watch = new EngineWatch({
    beats: () => 1,
    counted: stepMs => {
      count++
      return counted(stepMs)
    },
    onSuspicion: () => news.push('suspicion'),
    onRecovery: () => news.push('recovery'),
    onSilence: () => {
      news.push('silence')
      watch.stop()
    },
    limitMs: 1_000,
  })
  while (count < looks && !news.includes('silence')) await setTimeout(20)
  watch.stop()
  return news
}

t.test('a thread that stands still is suspected, then ended', async t => {
  t.same(await looked(stepMs => stepMs, 100), ['suspicion', 'silence'])
})

t.test('time that does not count is not held against it', async t => {
  t.same(await looked(() => 0, 6), [])
})
