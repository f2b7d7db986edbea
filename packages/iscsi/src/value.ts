// Syntax of single values in a negotiation [7143 §6.1]. Whether a number is in range is the business of its key.

/** Largest number of decimal digits that a JavaScript number holds exactly. */
const MAX_DIGITS = 15

/** A decimal or hexadecimal number (`0x…`), or undefined when it is neither or has no exact value here. */
export function parseNumber(text: string): number | undefined {
  if (text.length > MAX_DIGITS) return undefined
  if (!/^(0|[1-9][0-9]*|0[xX][0-9a-fA-F]{1,12})$/.test(text)) return undefined
  return Number(text)
}

/** `Yes` or `No`, written exactly so. */
export function parseBoolean(text: string): boolean | undefined {
  return text === 'Yes' ? true : text === 'No' ? false : undefined
}

export function booleanText(value: boolean): string {
  return value ? 'Yes' : 'No'
}

/** A list of values in order of preference. Empty elements make it no list. */
export function parseList(text: string): string[] | undefined {
  const values = text.split(',')
  return values.every(value => value.length > 0) ? values : undefined
}
