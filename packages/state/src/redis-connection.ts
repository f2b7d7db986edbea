/**
 * One connection to Redis, used until it ends and never mended: whoever needs another opens another. So no command is kept for later
 * or sent again, which is what a compare-and-set must not meet.
 */
import type { StateAddress } from '@scsipub/config'
import { Redis, type RedisOptions } from 'ioredis'
import { ANSWER_MS, inTime } from './in-time.js'

/** Connects, authenticates, chooses the database; rejects with what went wrong, in time. */
export async function connect(address: StateAddress): Promise<Redis> {
  const redis = new Redis({
    ...placeOf(address),
    ...(address.user !== undefined && { username: address.user }),
    ...(address.password !== undefined && { password: address.password }),
    protocol: 2,
    lazyConnect: true,
    retryStrategy: null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    disableClientInfo: true,
    connectionName: 'scsipub',
    connectTimeout: 2 * ANSWER_MS, // `inTime` is the limit
  })
  let cause: unknown
  let reached = false
  redis.on('connect', () => {
    reached = true // with TLS: after its handshake
  })
  redis.on('error', (error: unknown) => {
    cause ??= error
  })
  try {
    await inTime(redis.connect())
    if (address.database !== 0) await inTime(redis.select(address.database))
    return redis
  } catch (error) {
    redis.disconnect()
    const met = cause ?? error
    throw address.at.kind === 'tcp' && address.at.tls && !reached && isLate(met) ? new Error('no TLS handshake') : met
  }
}

function isLate(error: unknown): boolean {
  const { message = '', code = '' } = error as { message?: string; code?: string }
  return code === 'ETIMEDOUT' || /ETIMEDOUT|no answer in/.test(message)
}

type Place = Pick<RedisOptions, 'host' | 'port' | 'tls' | 'path' | 'sentinels' | 'name' | 'sentinelRetryStrategy'>

function placeOf({ at }: StateAddress): Place {
  switch (at.kind) {
    case 'tcp':
      return { ...at.address, ...(at.tls && { tls: {} }) }
    case 'unix':
      return { path: at.path }
    case 'sentinel':
      return {
        sentinels: at.sentinels.map(({ host, port }) => ({ host, port })),
        name: at.name,
        sentinelRetryStrategy: () => null,
      }
  }
}
