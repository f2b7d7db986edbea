/**
 * A process that writes until it is killed, and reports each write once it is done. Each sector carries its number of
 * the write at both ends.
 */
import { bench, spec } from './test-bench.js'

const { engine, workers } = bench(process.argv[2] ?? '')
const volume = workers.borrow(await engine.open(spec('disk')))
const sector = Buffer.allocUnsafeSlow(512)
for (let count = 1; process.connected; count++) {
  const at = (count * 7919) % (volume.sizeBytes / 512)
  sector.writeUInt32LE(count, 0)
  sector.writeUInt32LE(count, 508)
  await volume.write(at * 512, sector, 0, 512)
  if (count % 500 === 0) await volume.flush()
  await new Promise(resolve => process.send?.([at, count], resolve))
}
