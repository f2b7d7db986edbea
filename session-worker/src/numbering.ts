/**
 * Sequence numbers: CmdSN and its window, which all connections of a session share, and StatSN, which each has of its own.
 * [7143 §4.2.2]
 *
 * MaxCmdSN is ExpCmdSN plus the window less the tasks that still run, so it never moves back: a new command moves ExpCmdSN and the number
 * of running tasks together, an ended one opens the window by one.
 */
import { snAdd, snDiff, snLt } from '@scsipub/bytes'

/** Commands that an initiator may have under way. */
export const COMMAND_WINDOW = 128

/** What every PDU of a target carries, by the names of the wire. */
export interface Numbers {
  readonly statSn: number
  readonly expCmdSn: number
  readonly maxCmdSn: number
}

/** The commands that a session takes, whatever connection they come by. */
export class CommandWindow {
  expCmdSn: number
  #running = 0

  /** `expCmdSn`: the first CmdSN of the full feature phase. */
  constructor(expCmdSn: number) {
    this.expCmdSn = expCmdSn
  }

  get maxCmdSn(): number {
    return snAdd(this.expCmdSn, COMMAND_WINDOW - 1 - this.#running)
  }

  /** What to do with a non-immediate request: its turn, early (hold it), or outside of the window (ignore it) [7143 §4.2.2.1]. */
  classify(cmdSn: number): 'next' | 'early' | 'outside' {
    if (cmdSn === this.expCmdSn) return snLt(this.maxCmdSn, cmdSn) ? 'outside' : 'next'
    const ahead = snDiff(cmdSn, this.expCmdSn)
    return ahead > 0 && ahead <= snDiff(this.maxCmdSn, this.expCmdSn) ? 'early' : 'outside'
  }

  advance(): void {
    this.expCmdSn = snAdd(this.expCmdSn, 1)
  }

  taskBegan(): void {
    this.#running++
  }

  taskEnded(): void {
    this.#running--
  }
}

/** The numbers of what is sent on one connection. */
export class Numbering {
  readonly window: CommandWindow
  statSn: number

  /** `statSn`: the next one to send. */
  constructor(window: CommandWindow, statSn: number) {
    this.window = window
    this.statSn = statSn
  }

  get expCmdSn(): number {
    return this.window.expCmdSn
  }

  get maxCmdSn(): number {
    return this.window.maxCmdSn
  }

  /** StatSN for a response with status; the next one is one higher. */
  takeStatSn(): number {
    const statSn = this.statSn
    this.statSn = snAdd(statSn, 1)
    return statSn
  }

  /** The numbers of a response with status. It takes a StatSN. */
  response(): Numbers {
    return { statSn: this.takeStatSn(), expCmdSn: this.expCmdSn, maxCmdSn: this.maxCmdSn }
  }

  /** The numbers of a PDU that carries the next StatSN and takes none: an R2T, a ping [7143 §11.8.3, §11.19]. */
  notice(): Numbers {
    return { statSn: this.statSn, expCmdSn: this.expCmdSn, maxCmdSn: this.maxCmdSn }
  }
}
