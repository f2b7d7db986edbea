/**
 * The state store as the server has it: opened as the configuration says, with a line in the log for each change of its availability, and as a reason for not
 * being ready. A store that is away keeps nobody from starting or from serving what runs.
 */
import { join } from 'node:path'
import type { Config } from '@scsipub/config'
import { openState, type StateStore } from '@scsipub/state'
import type { Log } from './log.js'

export interface OpenedState {
  readonly store: StateStore
  /** What is wrong with it at the moment, in words. */
  readonly fault: () => string | undefined
}

/** Opens Redis where `state.url` is set, else the embedded store in the data directory; rejects when that one cannot be opened. */
export async function openStateStore(
  { state, dataDir }: Pick<Config, 'state' | 'dataDir'>,
  log: Log,
): Promise<OpenedState> {
  const store = await openState({
    ...state,
    path: join(dataDir, 'state'),
    advise: why => log.warn({ event: 'state.advice', why }),
  })
  let fault = store.available ? undefined : 'it has not answered yet'
  store.onAvailability((available, why) => {
    fault = available ? undefined : why
    if (available) log.info({ event: 'state.available', why })
    else log.warn({ event: 'state.unavailable', why })
  })
  return { store, fault: () => (fault === undefined ? undefined : `the state store cannot be used: ${fault}`) }
}
