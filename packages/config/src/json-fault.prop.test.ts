/** The finder of JSON faults agrees with `JSON.parse` on what JSON is. */
import fc from 'fast-check'
import t from 'tap'
import { jsonFault } from './json-fault.js'

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

t.test('a text has a fault exactly when JSON.parse refuses it [RFC 8259]', t => {
  const damaged = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '}', '{', '[', ':', '0', '\n', '\\', 'x'))
    .map(([text, at, put]) => text.slice(0, at % (text.length + 1)) + put + text.slice((at % (text.length + 1)) + 1))
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.oneof(fc.json(), damaged, fc.string()), text => (jsonFault(text) === undefined) === parses(text)),
    ),
  )
  t.end()
})
