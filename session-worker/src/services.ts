/** What a session needs of the worker it lives in. */
import type { BorrowedVolumes } from '@scsipub/volume'
import type { Supervisor } from './login-phase.js'
import type { Output } from './output.js'

export interface Services {
  readonly output: Output
  readonly supervisor: Supervisor
  readonly volumes: BorrowedVolumes
}
