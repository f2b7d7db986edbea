/** All calls of the API. */
import { type AdminParts, addAdmin } from './admin.js'
import type { Api } from './app.js'
import { addCatalog, type CatalogParts } from './catalog.js'
import { addHealth, type Readiness } from './health.js'
import { addImages } from './images.js'
import { addDocument } from './openapi.js'
import { addSessionLuns } from './session-luns.js'
import { addSessions, type SessionParts } from './sessions.js'

export interface CallParts extends AdminParts, CatalogParts, SessionParts {
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
}
