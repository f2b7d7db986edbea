/**
 * Unit attentions that one nexus causes for the others of its logical unit, over all session workers. Asked by a worker (`unit.attention`)
 * or established by the engine along with a change of its own; both are answered when every worker has established it, so
 * that who asked can be told GOOD after that.
 */

/** Rows of the sense catalogue, by name, that reach other nexuses. */
export const sharedUnitAttentions = [
  'mediumMayHaveChanged',
  'modeParametersChanged',
  'reservationsPreempted',
  'reservationsReleased',
  'registrationsPreempted',
  'capacityDataChanged',
  'thinProvisioningSoftThreshold',
  'inquiryDataChanged',
] as const
export type SharedUnitAttention = (typeof sharedUnitAttentions)[number]

/** What is established: for every session on the volume but `sessionId`; 0 spares none. */
export const unitAttentionFields = {
  volumeId: { type: 'string' },
  sessionId: { type: 'uint32' },
  condition: { enum: sharedUnitAttentions },
} as const
