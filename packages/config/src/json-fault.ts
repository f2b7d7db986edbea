/**
 * Where a text stops being JSON [RFC 8259]. `JSON.parse` says so only for some texts, in words that differ between Node
 * versions, so a faulty text is read once more, only to find the place. Left out: values; this only looks.
 */

const SPACE = /[ \t\n\r]*/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: a string of JSON may not have them [RFC 8259 §7]
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"/y
const SCALAR = /true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y

class Fault extends Error {
  readonly position: number
  constructor(position: number, expected: string) {
    super(`expected ${expected}`)
    this.position = position
  }
}

/** `line 3, column 7: expected a value`, both from 1; undefined when the text is JSON after all. */
export function jsonFault(text: string): string | undefined {
  try {
    const end = skip(text, value(text, skip(text, 0)))
    if (end < text.length) throw new Fault(end, 'the end of the file')
    return undefined
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    const before = text.slice(0, error.position).split('\n')
    return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}: ${error.message}`
  }
}

/** Reads a value that starts at `from`; returns where it ends. */
function value(text: string, from: number): number {
  if (text[from] === '{') return list(text, from, '}', member)
  if (text[from] === '[') return list(text, from, ']', value)
  return match(STRING, text, from) ?? match(SCALAR, text, from) ?? fail(from, 'a value')
}

function member(text: string, from: number): number {
  const colon = skip(text, match(STRING, text, from) ?? fail(from, 'a key in double quotes'))
  if (text[colon] !== ':') fail(colon, '":"')
  return value(text, skip(text, colon + 1))
}

function list(text: string, from: number, close: string, item: (text: string, from: number) => number): number {
  let at = skip(text, from + 1)
  if (text[at] === close) return at + 1
  for (;;) {
    at = skip(text, item(text, at))
    if (text[at] === close) return at + 1
    if (text[at] !== ',') fail(at, `"," or "${close}"`)
    at = skip(text, at + 1)
  }
}

function skip(text: string, from: number): number {
  return match(SPACE, text, from) ?? from
}

function match(pattern: RegExp, text: string, from: number): number | undefined {
  pattern.lastIndex = from
  return pattern.test(text) ? pattern.lastIndex : undefined
}

function fail(position: number, expected: string): never {
  throw new Fault(position, expected)
}
