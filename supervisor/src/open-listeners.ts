/** The two places where a server listens: HTTP, and the portal where initiators come. A socket may be there already, from systemd or from the process before. */
import type { Address } from '@scsipub/config'
import type { StateStore } from '@scsipub/state'
import { Accounts } from './accounts/accounts.js'
import type { Admission } from './admission.js'
import type { Catalog } from './catalog.js'
import type { Engine } from './engine.js'
import { Authentication } from './http/authentication.js'
import { HttpListener } from './http/http-listener.js'
import { readinessOf } from './http/readiness.js'
import type { Leases } from './leases/leases.js'
import { type ListenAt, Listener } from './listener.js'
import type { LoginPenalty } from './login-penalty.js'
import type { Logins } from './logins.js'
import type { Operations } from './operations.js'
import type { SessionPool } from './pool.js'
import type { ServerLimits, ServerOptions } from './server-options.js'
import type { SessionHost } from './session-host.js'
import type { TargetDirectory } from './targets.js'

interface Behind {
  readonly options: ServerOptions
  readonly limits: ServerLimits
  readonly store: StateStore
  readonly catalog: Catalog
  readonly directory: TargetDirectory
  readonly leases: Leases
  readonly engine: Engine
  readonly logins: Pick<Logins, 'draining'>
  readonly pool: SessionPool
  readonly host: SessionHost
  readonly operations: Operations
  readonly admission: Admission
  readonly penalties: { readonly http: LoginPenalty }
  /** The portal, which comes up last. */
  readonly listener: () => Listener
  readonly stateFault: () => string | undefined
}

/** `fd`: a socket that listens already. @throws Error with one line for the operator when the address cannot be used */
export async function openHttp(fd: number | undefined, parts: Behind): Promise<HttpListener> {
  const { leases, catalog, directory, store, operations, engine, pool, limits, logins, stateFault } = parts
  const { config, log, onStopRequest, upgrade } = parts.options
  const accounts = new Accounts({ store, log })
  const penalty = parts.penalties.http
  return HttpListener.open(listenAt(fd, config.listen.http), {
    log,
    accounts,
    leases,
    catalog,
    directory,
    authentication: new Authentication({ accounts, adminToken: config.admin.token, penalty, log }),
    tiers: config.tiers,
    blankBytes: config.free.blankBytes,
    iqnPrefix: config.iqnPrefix,
    restarts: operations.restarts,
    overview: operations.overview,
    metrics: operations.metrics,
    streams: operations.streams,
    drain: why => {
      setImmediate(() => onStopRequest(why)) // after the answer
      return limits.drainMs
    },
    portal: () => ({ advertise: config.advertise.iscsi, listens: parts.listener().address }),
    upgrade,
    readiness: readinessOf({ stateFault, engine, pool, workers: config.workers, draining: () => logins.draining }),
  })
}

/** As `openHttp`, for iSCSI. */
export async function openPortal(fd: number | undefined, { options, admission, host }: Behind): Promise<Listener> {
  const { config, log } = options
  const listener = await Listener.open(listenAt(fd, config.listen.iscsi), {
    admission,
    log,
    take: accepted => host.host(accepted),
  })
  if (config.free.maxSessions === 0 || admission.maxConnections < config.free.maxSessions) {
    const hint = 'raise the limit on open files (ulimit -n, LimitNOFILE=) for more'
    log.warn({ event: 'limits.descriptors', maxConnections: admission.maxConnections, hint })
  }
  return listener
}

function listenAt(fd: number | undefined, address: Address): ListenAt {
  return fd === undefined ? address : { fd }
}
