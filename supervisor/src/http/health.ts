/**
 * The calls of whoever watches the server: /healthz says that the process answers, /readyz that logins to all kinds of disks can succeed.
 * Not being ready is 503 with every reason. A store that is away makes a server not ready though its running sessions go on: new logins to sessions are refused.
 */
import { Type } from 'typebox'
import type { Api } from './app.js'
import { Problem, type ProblemItem } from './problem.js'
import { problems, record } from './schemas.js'

/** What is wrong with the server at the moment; nothing: it is ready. */
export type Readiness = () => Promise<ProblemItem[]> | ProblemItem[]

const Well = record({ status: Type.Literal('ok') })
const tags = ['health']
const config = { servedWhileStopping: true }

export function addHealth(app: Api, readiness: Readiness): void {
  const alive = { tags, summary: 'Is the process alive?', response: { 200: Well } }
  app.get('/healthz', { schema: alive, config }, () => ({ status: 'ok' as const }))

  const ready = { tags, summary: 'Can disks be had?', response: { 200: Well, ...problems('not-ready') } }
  app.get('/readyz', { schema: ready, config }, async () => {
    const errors = await readiness()
    if (errors.length > 0) throw new Problem('not-ready', errors.map(({ detail }) => detail).join('; '), { errors })
    return { status: 'ok' as const }
  })
}
