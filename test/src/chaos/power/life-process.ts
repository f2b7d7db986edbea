// Runs a life as a process of its own, to its end.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { DIES_WITH_PARENT } from '../../harness/run-program.js'
import type { LifeOrders } from './life-messages.js'
import type { FileRecord } from './record-log.js'

const RECORDER = new URL('./recorder.js', import.meta.url).href
const LIFE = fileURLToPath(new URL('./life.js', import.meta.url))
const LIMIT_MS = 600_000

export interface KillOrder {
  readonly after: number
  readonly ops?: readonly FileRecord['op'][]
}

export interface RecordedFolder {
  readonly root: string
  readonly log: string
  /** After so many records, of these kinds if told, it kills itself. */
  readonly kill?: KillOrder
}

/** Resolves with whether it was killed as told. @throws Error with what it printed when it failed otherwise */
export async function runLife(orders: LifeOrders, recorded?: RecordedFolder): Promise<'ended' | 'killed'> {
  const environment = recorded && {
    CHAOS_ROOT: recorded.root,
    CHAOS_LOG: recorded.log,
    ...(recorded.kill && { CHAOS_KILL_AT: String(recorded.kill.after) }),
    ...(recorded.kill?.ops && { CHAOS_KILL_OPS: recorded.kill.ops.join() }),
  }
  const command = [...DIES_WITH_PARENT, process.execPath, '--import', RECORDER, LIFE, JSON.stringify(orders)]
  const child = spawn('setpriv', command, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text))
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, LIMIT_MS)
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (...how) => resolve(how))
  })
  clearTimeout(timer)
  if (late) throw new Error(`a life did not end within ${LIMIT_MS} ms\n${printed}`)
  if (signal === 'SIGKILL') return 'killed'
  if (code !== 0) throw new Error(`a life ended with ${signal ?? `code ${code}`}\n${printed}`)
  return 'ended'
}
