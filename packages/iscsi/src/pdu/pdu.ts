// What every PDU has in common: the 48-byte basic header segment [7143 §11.2.1], and how one PDU is declared.
//
// A PDU is a layout that knows its opcode and the bits that never change, so that `encode` cannot forget them, and the
// reasons for which a received one is refused. What depends on the state of a session is not looked at here.

import type { DecodedFields, Fields, Layout } from '@scsipub/bytes'
import { bit, bits, layout, u8, u24, u32 } from '@scsipub/bytes'
import type { Opcode } from '../opcodes.js'

/** Length of the basic header segment in bytes [7143 §11.2.1]. */
export const BHS_SIZE = 48

/** Fields at the same place in every PDU. `totalAhsLength` counts words of four bytes, `dataSegmentLength` bytes. */
export const basicHeader = {
  opcode: bits(0, 0, 6),
  immediate: bit(0, 6),
  totalAhsLength: u8(4),
  dataSegmentLength: u24(5),
  initiatorTaskTag: u32(16),
} as const

/** The common fields alone: enough to dispatch, whatever the opcode. */
export const header = layout(BHS_SIZE, basicHeader)

export interface Pdu<F extends Fields> extends Layout<F> {
  readonly opcode: Opcode
  /** Why this PDU breaks the standard by itself, with the section; undefined when it does not. */
  readonly invalid: (pdu: DecodedFields<F>) => string | undefined
}

interface PduDefinition<F extends Fields> {
  readonly fields: F
  /** Bits that are the same in every PDU of this kind; a value given to `encode` goes before them. */
  readonly fixed?: Partial<DecodedFields<NoInfer<F>>>
  readonly invalid: (pdu: DecodedFields<NoInfer<F>>) => string | undefined
}

/** Declares a PDU. Its `encode` fills in the opcode and the fixed bits; see `layout` for the rest. */
export function pdu<const F extends Fields>(opcode: Opcode, definition: PduDefinition<F>): Pdu<F> {
  const wire = layout(BHS_SIZE, definition.fields)
  const fixed = { opcode, ...definition.fixed }
  return {
    ...wire,
    opcode,
    invalid: definition.invalid,
    encode: (value, buffer, offset) => wire.encode({ ...fixed, ...value }, buffer, offset),
  }
}
