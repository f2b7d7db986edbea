/** The administrator's call that replaces the server's process by one of the code and the configuration that are on disk now. */
import { Type } from 'typebox'
import type { UpgradeReport } from '../upgrade/estate.js'
import { UpgradeError } from '../upgrade/upgrade.js'
import type { Api } from './app.js'
import type { Authentication } from './authentication.js'
import { Problem } from './problem.js'
import { problems, record } from './schemas.js'

export interface UpgradeCallParts {
  readonly authentication: Authentication
  /** See `Upgrade.request`; absent where no other process can be started. */
  readonly upgrade?: (() => Promise<UpgradeReport>) | undefined
}

const Process = record({ pid: Type.Integer(), version: Type.String() })
const Report = record({
  from: Process,
  to: Process,
  moved: Type.Integer({ description: 'sessions that went on' }),
  asked_to_log_in_again: Type.Integer({ description: 'sessions that could not be moved' }),
  pause_ms: Type.Number({ description: 'how long sessions stood still' }),
  login_pause_ms: Type.Number({ description: 'how long logins and calls waited at most' }),
})
const CODES = { busy: 'busy', stopping: 'stopping', failed: 'upgrade-failed' } as const

export function addUpgrade(app: Api, { authentication, upgrade }: UpgradeCallParts): void {
  app.post(
    '/api/admin/upgrade',
    {
      onRequest: authentication.requireAdmin,
      config: { outlastsHandOver: true },
      schema: {
        tags: ['admin'],
        security: [{ admin: [] }],
        summary: 'Replace the process of the server by a new one; answers when that serves, or this one goes on',
        response: {
          200: Report,
          ...problems('unauthenticated', 'admin-token-invalid', 'admin-disabled', 'busy', 'stopping', 'upgrade-failed'),
        },
      },
    },
    async () => {
      if (!upgrade) throw new Problem('upgrade-failed', 'this server runs inside another program')
      try {
        const { from, to, moved, askedToLogInAgain, pauseMs, loginPauseMs } = await upgrade()
        return {
          from,
          to,
          moved,
          asked_to_log_in_again: askedToLogInAgain,
          pause_ms: pauseMs,
          login_pause_ms: loginPauseMs,
        }
      } catch (error) {
        if (error instanceof UpgradeError) throw new Problem(CODES[error.code], error.message)
        throw error
      }
    },
  )
}
