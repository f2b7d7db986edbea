/** `scsipub top`: the server as it is, again and again. Without a terminal, or with `--once`, one picture and no more. */
import { setTimeout } from 'node:timers/promises'
import type { Command, Invocation, Outcome } from '../command.js'
import { CommandFailure, usage } from '../failure.js'
import type { Overview } from '../worker-answers.js'
import { frameText } from './frame.js'
import { Screen } from './screen.js'

const MS_PER_SECOND = 1_000
const KEYS = '\nq ends it\n'

interface Look {
  readonly overview: Overview
  readonly atMs: number
}

export const topCommand: Command = {
  words: 'top',
  args: '',
  minArgs: 0,
  maxArgs: 0,
  about: 'watch workers, sessions, I/O and restarts, as they are now; q ends it',
  options: {
    once: { about: 'print what one interval was like, and end' },
    interval: { value: 'SECONDS', about: 'between two pictures; 1 unless told' },
  },
  as: 'admin',
  run: async invocation => {
    const ms = intervalOf(invocation.values['interval'])
    const { terminal } = invocation
    if (invocation.values['once'] === true || !terminal) return once(invocation, ms)
    const screen = new Screen(terminal)
    try {
      await watch(invocation, screen, ms)
    } finally {
      screen.close()
    }
    return { json: {}, text: '' }
  },
}

async function once(invocation: Invocation, ms: number): Promise<Outcome> {
  const before = await look(invocation)
  await setTimeout(ms)
  const now = await look(invocation)
  return { json: now.overview, text: textOf(before, now) }
}

/** Shows pictures until somebody leaves. A server that does not answer for a while, as while it is upgraded, ends nothing; one that refuses does. */
async function watch(invocation: Invocation, screen: Screen, ms: number): Promise<void> {
  let before: Look | undefined
  let isLeft = false
  const stop = new AbortController()
  void screen.left.then(() => {
    isLeft = true
    stop.abort()
  })
  while (!isLeft) {
    try {
      const now = await Promise.race([look(invocation), screen.left])
      if (!now) return
      screen.show(before ? textOf(before, now) + KEYS : `scsipub: one moment\n${KEYS}`)
      before = now
    } catch (error) {
      if (!(error instanceof CommandFailure) || error.kind !== 'unreachable') throw error
      screen.show(`scsipub: ${error.message}; trying again\n${KEYS}`)
      before = undefined
    }
    await setTimeout(ms, undefined, { signal: stop.signal }).catch(() => {})
  }
}

async function look({ client, token }: Invocation): Promise<Look> {
  const overview = await client.call<Overview>('GET /api/admin/workers', { token: token() })
  return { overview, atMs: performance.now() }
}

function textOf(before: Look, now: Look): string {
  const seconds = (now.atMs - before.atMs) / MS_PER_SECOND
  return frameText({ before: before.overview, now: now.overview, seconds, nowMs: Date.now() })
}

function intervalOf(text: string | boolean | undefined): number {
  if (text === undefined) return MS_PER_SECOND
  const seconds = Number(text)
  if (!(seconds >= 0.1 && seconds <= 3_600)) throw usage(`"${text}" is not an interval; write seconds from 0.1 to 3600`)
  return seconds * MS_PER_SECOND
}
