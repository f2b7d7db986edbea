/**
 * Text requests of the full feature phase: discovery, and the few keys that may still change. [7143 §11.10, §11.11]
 *
 * One exchange at a time, as the standard has it. Long requests come in pieces (C bit), long answers go out in pieces
 * that the initiator asks for with the transfer tag of the piece before.
 */
import type { TextRecord } from '@scsipub/contract'
import {
  answerText,
  type DiscoveredTarget,
  encodeTargets,
  encodeText,
  parseText,
  RESERVED_TAG,
  RejectReason,
  type SendTargetsRequest,
  TextAssembler,
  TextPages,
  type TextRequest,
  textRequest,
  textResponse,
} from '@scsipub/iscsi'
import type { FullFeature } from './full-feature.js'
import { reject } from './reject.js'

/** The longest text that we take in pieces. */
const MAX_TEXT_BYTES = 16 << 10

/** Finds the targets that an initiator may see. */
export interface Directory {
  list(): Promise<readonly DiscoveredTarget[]>
}

/** The exchange under way: the tag that the initiator goes on with, and the answer that it has not had yet. */
interface Exchange {
  readonly targetTransferTag: number
  readonly pages: TextPages | undefined
}

export class TextPhase {
  readonly #phase: FullFeature
  readonly #directory: Directory
  readonly #assembler = new TextAssembler(MAX_TEXT_BYTES)
  #exchange: Exchange | undefined
  #asking = false

  constructor(phase: FullFeature, directory: Directory) {
    this.#phase = phase
    this.#directory = directory
  }

  /** No exchange is half done: one of which a piece has come or gone has a tag. */
  get atRest(): boolean {
    return this.#exchange === undefined && !this.#asking
  }

  /** What another worker needs to go on with the exchange; nothing may be asked of the directory. */
  record(): TextRecord {
    const exchange = this.#exchange
    return {
      gathered: new Uint8Array(this.#assembler.gathered),
      ...(exchange && {
        exchange: {
          targetTransferTag: exchange.targetTransferTag,
          ...(exchange.pages && { rest: new Uint8Array(exchange.pages.rest) }),
        },
      }),
    }
  }

  restore({ gathered, exchange }: TextRecord): void {
    if (gathered.length > 0) this.#assembler.add(Buffer.from(gathered), true)
    if (!exchange) return
    const { targetTransferTag, rest } = exchange
    this.#exchange = { targetTransferTag, pages: rest && new TextPages(Buffer.from(rest)) }
  }

  pdu(buffer: Buffer, head: number, dataAt: number, length: number): void {
    const request = textRequest.decode(buffer, head)
    const continues = request.targetTransferTag !== RESERVED_TAG
    const unknown = continues && request.targetTransferTag !== this.#exchange?.targetTransferTag
    if (textRequest.invalid(request) || unknown || this.#asking) {
      return reject(this.#phase, RejectReason.protocolError, buffer, head)
    }
    const pages = continues ? this.#exchange?.pages : undefined
    if (pages) return this.#sendPage(request, pages)
    if (!continues) this.#assembler.reset()
    const text = this.#assembler.add(buffer.subarray(dataAt, dataAt + length), request.continue)
    if (text === undefined) return this.#send(request, Buffer.alloc(0), { final: false, more: false, pages: undefined })
    const pairs = Buffer.isBuffer(text) ? parseText(text) : text
    if (!Array.isArray(pairs)) return reject(this.#phase, RejectReason.protocolError, buffer, head)
    const answer = answerText(pairs, this.#phase.parameters)
    if (answer.maxRecvDataSegmentLength !== undefined) {
      this.#phase.maxRecvDataSegmentLength = answer.maxRecvDataSegmentLength
      this.#phase.session.changed()
    }
    const before = encodeText(answer.answers)
    if (!answer.sendTargets) return this.#sendPage(request, new TextPages(before))
    this.#findTargets(request, before, answer.sendTargets)
  }

  #findTargets(request: TextRequest, before: Buffer, wanted: SendTargetsRequest): void {
    const own = wanted.kind === 'name' ? wanted.name : this.#phase.parameters.targetName
    // The header is a view into a buffer that is used again before the answer is there.
    const kept = { ...request, lun: Buffer.from(request.lun) }
    this.#asking = true
    this.#phase.tasks.later(this.#directory.list(), targets => {
      this.#asking = false
      const shown = wanted.kind === 'all' ? targets : targets.filter(({ name }) => name === own)
      this.#sendPage(kept, new TextPages(Buffer.concat([before, encodeTargets(shown)])))
    })
  }

  #sendPage(request: TextRequest, pages: TextPages): void {
    const { piece, last } = pages.next(this.#phase.maxRecvDataSegmentLength)
    this.#send(request, piece, { final: last && request.final, more: !last, pages: last ? undefined : pages })
  }

  /** F=1 ends the exchange; otherwise a transfer tag lets the initiator go on [7143 §11.11.1, §11.11.4]. */
  #send(
    request: TextRequest,
    text: Buffer,
    how: { final: boolean; more: boolean; pages: TextPages | undefined },
  ): void {
    const { numbering, writer } = this.#phase
    const targetTransferTag = how.final ? RESERVED_TAG : this.#phase.takeTransferTag()
    this.#exchange = how.final ? undefined : { targetTransferTag, pages: how.pages }
    const answer = textResponse.encode({
      final: how.final,
      continue: how.more,
      lun: request.lun,
      initiatorTaskTag: request.initiatorTaskTag,
      targetTransferTag,
      ...numbering.response(),
    })
    writer.whole(answer, text)
  }
}
