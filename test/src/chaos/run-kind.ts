// The kinds of chaos by name.

import type { ChaosResult, RoundsOptions } from './faults.js'
import { KillRounds } from './kill/kill-rounds.js'
import type { ChaosKind } from './options.js'
import { PowerRounds } from './power/power-rounds.js'

/** @throws ChaosFault for the first round that found something wrong */
export function runKind(kind: ChaosKind, options: RoundsOptions): Promise<ChaosResult> {
  return kind === 'kill' ? new KillRounds(options).run() : new PowerRounds(options).run()
}
