// What a Text Request may ask for in full feature phase [7143 §11.10, §13]: SendTargets, and the initiator's
// MaxRecvDataSegmentLength declared anew. Everything else was for the login.

import { findKey } from './keys.js'
import type { SendTargetsRequest } from './send-targets.js'
import { parseSendTargets } from './send-targets.js'
import type { TextPair } from './text.js'
import { parseNumber } from './value.js'

export interface FullFeatureText {
  /** Pairs to answer with, before the targets that were asked for. */
  readonly answers: readonly TextPair[]
  /** The targets that the caller has to find. */
  readonly sendTargets?: SendTargetsRequest
  /** From the answer on, the initiator takes data segments of this many bytes. */
  readonly maxRecvDataSegmentLength?: number
}

/**
 * Answers the pairs of one text. `session` tells what SendTargets may ask for: everything in a discovery session, nothing but
 * the own target elsewhere.
 */
export function answerText(
  pairs: readonly TextPair[],
  session: { readonly sessionType: 'normal' | 'discovery'; readonly targetName?: string },
): FullFeatureText {
  const answers: TextPair[] = []
  let sendTargets: SendTargetsRequest | undefined
  let maxRecvDataSegmentLength: number | undefined
  for (const { key, value } of pairs) {
    const row = findKey(key)
    if (!row) answers.push({ key, value: 'NotUnderstood' })
    else if (key === 'SendTargets') {
      sendTargets = allowed(parseSendTargets(value), session)
      if (!sendTargets) answers.push({ key, value: 'Reject' })
    } else if (key === 'MaxRecvDataSegmentLength') {
      const length = parseNumber(value)
      if (length !== undefined && length >= 512 && length <= 0xffffff) maxRecvDataSegmentLength = length
      else answers.push({ key, value: 'Reject' })
    } else if (row.use === 'all' && row.sender !== 'target' && row.rule.kind === 'declareText') {
      // An alias may change; nobody here looks at it.
    } else answers.push({ key, value: 'Reject' })
  }
  return {
    answers,
    ...(sendTargets ? { sendTargets } : {}),
    ...(maxRecvDataSegmentLength === undefined ? {} : { maxRecvDataSegmentLength }),
  }
}

/** All belongs to discovery; a normal session hears of its own target only [7143 Appendix C]. */
function allowed(
  request: SendTargetsRequest | undefined,
  session: { readonly sessionType: 'normal' | 'discovery'; readonly targetName?: string },
): SendTargetsRequest | undefined {
  if (!request) return undefined
  if (session.sessionType === 'discovery') return request.kind === 'session' ? undefined : request
  if (request.kind === 'all') return undefined
  return request.kind === 'session' || request.name === session.targetName ? { kind: 'session' } : undefined
}
