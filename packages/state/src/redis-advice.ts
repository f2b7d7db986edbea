/** Settings of a Redis that put records at risk, found by INFO; a server that does not say is not suspected. */
import type { RedisLink } from './redis-link.js'

/** A sentence for each such setting. */
export async function adviceFor(link: RedisLink): Promise<string[]> {
  const [memory, persistence] = await link.ask(redis => Promise.all([redis.info('memory'), redis.info('persistence')]))
  const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1]
  const advice: string[] = []
  if (policy !== undefined && policy !== 'noeviction')
    advice.push(`maxmemory-policy is ${policy}: Redis may throw leases away; set noeviction`)
  if (/^aof_enabled:0/m.test(persistence))
    advice.push('appendonly is off: a crash of Redis loses what was written last; set "appendonly yes"')
  return advice
}
