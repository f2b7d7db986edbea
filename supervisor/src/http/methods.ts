/** A path that there is, with a method that it does not have, is 405 with what it has [9110 §15.5.6]; by itself fastify says 404. */
import type { Api } from './app.js'
import { Problem } from './problem.js'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']

/** Adds routes by `addCalls`, and for every path of theirs the refusal of all other methods. */
export function addWithRefusals(app: Api, addCalls: (app: Api) => void): void {
  const taken = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    const methods = taken.get(url) ?? new Set()
    for (const one of [method].flat()) methods.add(one)
    taken.set(url, methods)
  })
  addCalls(app)
  for (const [url, methods] of [...taken]) refuse(app, url, methods)
}

function refuse(app: Api, url: string, methods: ReadonlySet<string>): void {
  const allow = [...methods].sort().join(', ')
  const others = METHODS.filter(method => !methods.has(method))
  app.route({
    url,
    method: others,
    schema: { hide: true },
    // Before the body is looked at: whatever it is, it is not taken.
    onRequest: async () => {
      throw new Problem('method-not-allowed', `use ${allow}`, { headers: { allow } })
    },
    handler: async () => {},
  })
}
