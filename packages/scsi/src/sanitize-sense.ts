// What a unit says of itself while it is being sanitized, or after that has failed [SBC-3 §4.11.2, §4.11.4].

import type { SanitizeState } from './logical-unit.js'
import type { Sense } from './sense.js'
import { senseCodes } from './sense-codes.js'

/** 2/04/1B with the progress, or 3/31/03. */
export function sanitizeSense({ state, progress }: SanitizeState): Sense {
  return state === 'failed' ? { code: senseCodes.sanitizeFailed } : { code: senseCodes.sanitizeInProgress, progress }
}
