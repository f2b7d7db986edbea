/** `scsipub upgrade`: the administrator replaces the process of the server by one of the code and the configuration that are on disk now. */
import type { Command } from './command.js'

interface Process {
  readonly pid: number
  readonly version: string
}

/** As the API answers. */
interface Report {
  readonly from: Process
  readonly to: Process
  readonly moved: number
  readonly asked_to_log_in_again: number
  readonly pause_ms: number
  readonly login_pause_ms: number
}

export const upgradeCommand: Command = {
  words: 'upgrade',
  args: '',
  minArgs: 0,
  maxArgs: 0,
  about: 'replace the server by the code and configuration on disk; sessions go on',
  more: 'Answers when the new process serves. One that fails its checks leaves the old one serving, and the reason is told.',
  as: 'admin',
  run: async ({ client, token }) => {
    const json = await client.call<Report>('POST /api/admin/upgrade', { token: token() })
    const { from, to, moved, asked_to_log_in_again: asked, pause_ms: pauseMs, login_pause_ms: loginPauseMs } = json
    const text = [
      `process ${from.pid} (version ${from.version}) is replaced by process ${to.pid} (version ${to.version})`,
      `${moved} sessions went on; ${asked} were asked to log in again`,
      `sessions stood still for ${pauseMs} ms; logins waited for up to ${loginPauseMs} ms`,
    ]
    return { json, text: `${text.join('\n')}\n` }
  },
}
