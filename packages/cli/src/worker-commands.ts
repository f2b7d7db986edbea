/** `scsipub workers …` and `scsipub drain`, for the operator. */
import type { Command } from './command.js'
import { formatMoment, formatSize, parseNumber } from './quantities.js'
import { table } from './table.js'
import type { Overview, RestartReport } from './worker-answers.js'

/** Copies between disks may have to end before their session can move. */
const RESTART_MS = 1_800_000

export const workerCommands: readonly Command[] = [
  {
    words: 'workers list',
    args: '',
    minArgs: 0,
    maxArgs: 0,
    about: 'list the session workers',
    as: 'admin',
    run: async ({ client, token }) => {
      const json = await client.call<Overview>('GET /api/admin/workers', { token: token() })
      const rows = json.workers.map(worker => [
        String(worker.worker),
        worker.state,
        String(worker.sessions),
        String(worker.connections),
        formatSize(worker.heap_bytes),
        formatSize(worker.external_bytes),
        worker.since === undefined ? '-' : formatMoment(worker.since),
        String(worker.replaced),
        String(worker.died),
      ])
      const head = ['WORKER', 'STATE', 'SESSIONS', 'CONNECTIONS', 'HEAP', 'BUFFERS', 'SINCE', 'REPLACED', 'DIED']
      return { json, text: table(head, rows) }
    },
  },
  {
    words: 'workers restart',
    args: '',
    minArgs: 0,
    maxArgs: 0,
    about: 'restart the session workers one after the other; initiators do not notice',
    more: 'Ends when all is done. Sessions move to a new worker, which takes some milliseconds each.',
    options: { worker: { value: 'N', about: 'this one alone; see scsipub workers list' } },
    as: 'admin',
    run: async ({ client, token, values }) => {
      const { worker } = values as { worker?: string }
      const body = worker === undefined ? {} : { worker: parseNumber(worker, 'the number of a worker') }
      const options = { token: token(), body, timeoutMs: RESTART_MS }
      const json = await client.call<RestartReport>('POST /api/admin/workers/restart', options)
      const { moved, dropped, pauseMs } = json
      const which = worker === undefined ? 'all workers are' : `worker ${worker} is`
      const text = `${which} new: ${moved} sessions moved, ${dropped} dropped\npause: median ${pauseMs.median} ms, p99 ${pauseMs.p99} ms, longest ${pauseMs.max} ms\n`
      return { json, text }
    },
  },
  {
    words: 'drain',
    args: '',
    minArgs: 0,
    maxArgs: 0,
    about: 'stop the server: sessions are asked to log out, then it ends',
    as: 'admin',
    run: async ({ client, token }) => {
      const json = await client.call<{ sessions: number; deadline_ms: number }>('POST /api/admin/drain', {
        token: token(),
      })
      const seconds = Math.ceil(json.deadline_ms / 1_000)
      const text = `the server stops: ${json.sessions} sessions have ${seconds} s to log out; it flushes and ends by itself\n`
      return { json, text }
    },
  },
]
