/** Addresses: what is written is read back the same. */
import fc from 'fast-check'
import t from 'tap'
import { formatAddress, parseAddress } from './address.js'

const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain())
const port = fc.integer({ min: 0, max: 65535 })

t.test('parseAddress undoes formatAddress', t => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(host, port, (host, port) => {
        const parsed = parseAddress(formatAddress({ host, port }))
        return typeof parsed !== 'string' && parsed.host === host && parsed.port === port
      }),
    ),
  )
  t.end()
})

t.test('parseAddress never throws, and says something of whatever it refuses', t => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.string(), text => {
        const parsed = parseAddress(text)
        return typeof parsed === 'string' ? parsed.length > 0 : parsed.port <= 65535 && parsed.host !== ''
      }),
    ),
  )
  t.end()
})
