// Parameter data of PERSISTENT RESERVE IN [SPC-4 §6.15]: what is known of registrations and the reservation, as bytes.

import { bit, bits, bytes, layout, u8, u16, u32 } from '@scsipub/bytes'
import type { Registration, ReservationState } from './reservation-state.js'
import { holds, NO_KEY } from './reservation-state.js'
import { LU_SCOPE, reservationTypes } from './reservation-type.js'
import { encodeTransportId } from './transport-id.js'

/** Which data, by service action. */
export type ReservationReport = 'keys' | 'reservation' | 'capabilities' | 'fullStatus'

/** What the data is made of: the state, and what of the unit is not in it. */
export interface ReservationFacts {
  readonly state: ReservationState
  /** Whether the state can be kept through a loss of power. */
  readonly canPersist: boolean
  readonly relativePort: number
}

const generationHeader = layout(8, { prGeneration: u32(0), additionalLength: u32(4) })
const scopeAndType = (at: number) => ({ scope: bits(at, 4, 4), type: bits(at, 0, 4) })
const reservationDescriptor = layout(16, { reservationKey: bytes(0, 8), ...scopeAndType(13) })
const fullStatusDescriptor = layout(24, {
  reservationKey: bytes(0, 8),
  allTgPt: bit(12, 1),
  rHolder: bit(12, 0),
  ...scopeAndType(13),
  relativeTargetPortIdentifier: u16(18),
  additionalDescriptorLength: u32(20),
})
const capabilities = layout(8, {
  length: u16(0),
  crh: bit(2, 4),
  sipC: bit(2, 3),
  atpC: bit(2, 2),
  ptplC: bit(2, 0),
  tmv: bit(3, 7),
  allowCommands: bits(3, 4, 3),
  ptplA: bit(3, 0),
  typeMask: u8(4),
  typeMask2: u8(5),
})

/**
 * TEST UNIT READY passes every reservation; MODE SENSE and the like pass write exclusive ones; RECEIVE COPY RESULTS passes none
 * [SPC-4 §6.15.4, table 208].
 */
const ALLOW_COMMANDS = 0b011

/** The parameter data, whole. */
export function persistentReserveInData(what: ReservationReport, facts: ReservationFacts): Buffer {
  switch (what) {
    case 'keys':
      return withGeneration(
        facts,
        facts.state.registrations.map(({ key }) => keyBytes(key)),
      )
    case 'reservation':
      return withGeneration(facts, reservationOf(facts.state))
    case 'capabilities':
      return reportCapabilities(facts)
    case 'fullStatus':
      return withGeneration(
        facts,
        facts.state.registrations.map(registration => fullStatus(facts, registration)),
      )
  }
}

function keyBytes(key: string): Buffer {
  return Buffer.from(key, 'hex')
}

function withGeneration({ state }: ReservationFacts, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const head = generationHeader.encode({ prGeneration: state.generation, additionalLength: body.length })
  return Buffer.concat([head, body])
}

/** The key of an all registrants reservation is zero: it is nobody's [SPC-4 §5.13.6.3]. */
function reservationOf({ reservation, registrations }: ReservationState): Buffer[] {
  if (reservation === undefined) return []
  const holder = registrations.find(({ port }) => port === reservation.holder)
  const reservationKey = keyBytes(holder?.key ?? NO_KEY)
  return [reservationDescriptor.encode({ reservationKey, scope: LU_SCOPE, type: reservation.type })]
}

function fullStatus({ state, relativePort }: ReservationFacts, { port, key, allTargetPorts }: Registration): Buffer {
  const transportId = encodeTransportId(port)
  const rHolder = holds(state, port)
  const descriptor = fullStatusDescriptor.encode({
    reservationKey: keyBytes(key),
    allTgPt: allTargetPorts,
    rHolder,
    ...(rHolder ? { scope: LU_SCOPE, type: state.reservation!.type } : {}),
    // Has no meaning where the registration is for all ports [SPC-4 §6.15.5].
    relativeTargetPortIdentifier: allTargetPorts ? 0 : relativePort,
    additionalDescriptorLength: transportId.length,
  })
  return Buffer.concat([descriptor, transportId])
}

function reportCapabilities({ state, canPersist }: ReservationFacts): Buffer {
  const data = capabilities.encode({
    length: capabilities.size,
    crh: true,
    sipC: true,
    atpC: true,
    ptplC: canPersist,
    tmv: true,
    allowCommands: ALLOW_COMMANDS,
    ptplA: state.persistent,
  })
  // The all registrants type with code 8 begins the second byte of the mask [SPC-4 §6.15.4, table 209].
  const types = Object.values(reservationTypes)
  const mask = types.reduce((sum, type) => sum | (1 << type), 0)
  capabilities.set.typeMask(data, 0, mask & 0xff)
  capabilities.set.typeMask2(data, 0, mask >>> 8)
  return data
}
