// Who makes the units, as INQUIRY and page 83h say it, and how ASCII fields are filled.

/** T10 VENDOR IDENTIFICATION, eight characters. */
export const VENDOR = 'SCSIPUB '

/** PRODUCT REVISION LEVEL, four characters. */
export const REVISION = '0001'

/** Left-aligned ASCII, padded with spaces or cut; what ASCII data fields may not hold becomes a question mark [SPC-4 §4.3.1]. */
export function ascii(text: string, lengthBytes: number): Buffer {
  const clean = text.replace(/[^\x20-\x7e]/g, '?').slice(0, lengthBytes)
  return Buffer.from(clean.padEnd(lengthBytes, ' '), 'latin1')
}
