/** `GET /metrics`: for Prometheus. Like /healthz it asks for no key: it is the operator's network that may reach it, see docs/operations.md. */
import { Type } from 'typebox'
import { EXPOSITION_TYPE, expose, type Family } from '../metrics/exposition.js'
import type { Api } from './app.js'

export interface MetricsParts {
  readonly metrics: () => Promise<readonly Family[]>
}

export function addMetrics(app: Api, { metrics }: MetricsParts): void {
  const response = {
    200: { description: 'Prometheus text format 0.0.4', content: { 'text/plain': { schema: Type.String() } } },
  }
  app.get(
    '/metrics',
    {
      schema: { tags: ['health'], summary: 'Measurements for Prometheus', response },
      config: { servedWhileStopping: true },
    },
    async (_, reply) => reply.type(EXPOSITION_TYPE).send(expose(await metrics())),
  )
}
