/**
 * Where a connection stands, in shared memory, so that it is known of a worker that died: whether the connection was at rest, and the numbers that are true then. A cell a
 * connection, of 64 bytes, written by its worker with plain stores at each end of a section and read by nobody as long as that worker lives.
 *
 *   0  state, see CELL_STATE
 *   1  StatSN
 *   2  ExpCmdSN of the session
 *   3  bytes of the initiator that were acted upon, since the connection began
 *   4  version of what the supervisor knows besides (`session.standing`)
 *
 * A worker may die between any two stores. So the state says *resting* last, after the numbers, and something else before anything is done. It may also die between the
 * kernel's giving it bytes and the first store: then the kernel's own count (`bytesRead`) is higher than number 3.
 */

/**
 *   busy       something of it is under way, or half said
 *   resting    all that came was acted upon, all answers are the kernel's to deliver
 *   running    what has just come is being acted upon: the worker's own thread is there
 */
export const CELL_STATE = { busy: 0, resting: 1, running: 2 } as const
export type CellState = (typeof CELL_STATE)[keyof typeof CELL_STATE]

const NUMBERS = 8
const STATE = 0
const STAT_SN = 1
const EXP_CMD_SN = 2
const BYTES = 3
const VERSION = 4
const CELLS = 256

/** What is in a cell. */
export interface CellReading {
  readonly state: CellState
  readonly statSn: number
  readonly expCmdSn: number
  readonly bytes: number
  readonly version: number
}

/** Where a cell is. */
export interface CellPlace {
  readonly memory: SharedArrayBuffer
  readonly index: number
}

/** What the cell at that place says. To be read when its writer is no more. */
export function readCell({ memory, index }: CellPlace): CellReading {
  const numbers = new Float64Array(memory, index * NUMBERS * Float64Array.BYTES_PER_ELEMENT, NUMBERS)
  const [state = 0, statSn = 0, expCmdSn = 0, bytes = 0, version = 0] = numbers
  return { state: state as CellState, statSn, expCmdSn, bytes, version }
}

/** The cell of one connection, for its worker. */
export class SessionCell {
  readonly place: CellPlace
  readonly connectionId: number
  /** All of the memory. */
  readonly numbers: Float64Array
  readonly #at: number

  constructor(place: CellPlace, numbers: Float64Array, connectionId: number) {
    this.place = place
    this.connectionId = connectionId
    this.numbers = numbers
    this.#at = place.index * NUMBERS
  }

  /** It begins busy. `bytes`: what has been read of the connection by now. */
  begin(bytes: number): void {
    this.numbers.fill(0, this.#at, this.#at + NUMBERS)
    this.numbers[this.#at + BYTES] = bytes
  }

  set version(version: number) {
    this.numbers[this.#at + VERSION] = version
  }

  /** So many bytes have come and are being acted upon. Runs for every chunk of input. */
  received(bytes: number): void {
    this.numbers[this.#at + STATE] = CELL_STATE.running
    this.numbers[this.#at + BYTES]! += bytes
  }

  /** Something is about to be said that no input has asked for. Runs for every PDU that is built. */
  stir(): void {
    if (this.numbers[this.#at + STATE] === CELL_STATE.resting) this.numbers[this.#at + STATE] = CELL_STATE.busy
  }

  /** A section has ended, and something is under way. */
  busy(): void {
    this.numbers[this.#at + STATE] = CELL_STATE.busy
  }

  /** A section has ended, and nothing is under way. */
  rest(statSn: number, expCmdSn: number): void {
    const at = this.#at
    this.numbers[at + STAT_SN] = statSn
    this.numbers[at + EXP_CMD_SN] = expCmdSn
    this.numbers[at + STATE] = CELL_STATE.resting
  }
}

/** The cells of one worker, which are its own: another one has other memory. */
export class SessionCells {
  readonly #free: Pick<SessionCell, 'place' | 'numbers'>[] = []

  take(connectionId: number): SessionCell {
    if (this.#free.length === 0) this.#grow()
    const { place, numbers } = this.#free.pop()!
    return new SessionCell(place, numbers, connectionId)
  }

  /** The connection has ended, or has gone to another worker. */
  give({ place, numbers }: SessionCell): void {
    this.#free.push({ place, numbers })
  }

  #grow(): void {
    const memory = new SharedArrayBuffer(CELLS * NUMBERS * Float64Array.BYTES_PER_ELEMENT)
    const numbers = new Float64Array(memory)
    for (let index = CELLS - 1; index >= 0; index--) this.#free.push({ place: { memory, index }, numbers })
  }
}
