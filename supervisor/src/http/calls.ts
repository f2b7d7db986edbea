/** All calls of the API. */
import { type AdminParts, addAdmin } from './admin.js'
import type { Api } from './app.js'
import { addCatalog, type CatalogParts } from './catalog.js'
import { addEventStream, type EventParts } from './event-stream.js'
import { addHealth, type Readiness } from './health.js'
import { addImages } from './images.js'
import { addMetrics, type MetricsParts } from './metrics.js'
import { addDocument } from './openapi.js'
import { addSessionLuns } from './session-luns.js'
import { addSessions, type SessionParts } from './sessions.js'
import { addUpgrade, type UpgradeCallParts } from './upgrade.js'
import { addWorkers, type WorkerParts } from './workers.js'

export interface CallParts
  extends AdminParts,
    CatalogParts,
    SessionParts,
    WorkerParts,
    EventParts,
    MetricsParts,
    UpgradeCallParts {
  readonly readiness: Readiness
}

export function addCalls(app: Api, parts: CallParts): void {
  addHealth(app, parts.readiness)
  addDocument(app)
  addCatalog(app, parts)
  addSessions(app, parts)
  addSessionLuns(app, parts)
  addImages(app, parts)
  addAdmin(app, parts)
  addWorkers(app, parts)
  addEventStream(app, parts)
  addMetrics(app, parts)
  addUpgrade(app, parts)
}
