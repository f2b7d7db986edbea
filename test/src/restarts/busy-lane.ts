// An initiator under verified load that logs in again when its connection ends, as all initiators do, and that lets no byte pass that was not there when it should.

import { Initiator, type LoginOptions, type PortalAddress } from '@scsipub/testkit'
import { BLOCK, content } from '../protocol/lab.js'

export class BusyLane {
  /** Writes that were answered. */
  writes = 0
  /** Connections that ended. */
  breaks = 0
  readonly #address: PortalAddress
  readonly #options: LoginOptions
  readonly #lba: number
  readonly #blocks: number
  readonly #lane: number
  #goesOn = true
  readonly #over: Promise<void>

  /** Begins: writes `blocks` blocks at `lba` of LUN 0, again and again, and reads them back. */
  constructor(
    address: PortalAddress,
    { lane, lba, blocks, ...options }: LoginOptions & { lane: number; lba: number; blocks: number },
  ) {
    this.#address = address
    this.#options = options
    this.#lba = lba
    this.#blocks = blocks
    this.#lane = lane
    this.#over = this.#run()
    this.#over.catch(() => {}) // `end` tells
  }

  /** Ends after what is under way. @throws Error when something was not as it should be */
  async end(): Promise<void> {
    this.#goesOn = false
    await this.#over
  }

  async #run(): Promise<void> {
    let initiator = await Initiator.login(this.#address, this.#options)
    let answered: Buffer | undefined
    for (let round = 1; this.#goesOn; round++) {
      const data = content(this.#blocks * BLOCK, this.#lane * 100_000 + round)
      try {
        await initiator.write(this.#lba, data)
        answered = data
        this.writes++
        const found = await initiator.read(this.#lba, this.#blocks)
        if (!found.equals(data)) throw new RangeError(`lane ${this.#lane}: round ${round} is not there`)
      } catch (error) {
        if (error instanceof RangeError) throw error
        this.breaks++
        await initiator.close('reset')
        initiator = await Initiator.login(this.#address, this.#options)
        const found = await initiator.read(this.#lba, this.#blocks)
        // Of a write that was not answered each block may be there or not.
        for (let block = 0; answered && block < this.#blocks; block++) {
          const at = (from: Buffer) => from.subarray(block * BLOCK, (block + 1) * BLOCK)
          if (!at(found).equals(at(answered)) && !at(found).equals(at(data)))
            throw new RangeError(`lane ${this.#lane}: an answered write is lost after round ${round}`)
        }
      }
    }
    await initiator.close()
  }
}
