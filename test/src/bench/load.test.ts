import t from 'tap'
import { scatter } from './load.js'

const GIBIBYTE = 2 ** 30

t.test('the step of a scattered load visits every block before it comes to one again', async t => {
  for (const [diskBytes, blockBytes] of [
    [2 ** 24, 4096],
    [GIBIBYTE, 65_536],
    [2 ** 28, 262_144],
  ] as const) {
    const step = scatter(diskBytes, blockBytes)
    const visited = new Set<number>()
    for (let at = 0; !visited.has(at); at = (at + step) % diskBytes) visited.add(at)
    t.equal(visited.size, diskBytes / blockBytes, `${diskBytes} bytes in blocks of ${blockBytes}`)
  }
})

t.test('the step is far from small, and as large as qemu-img takes', async t => {
  const step = scatter(GIBIBYTE, 4096)
  t.ok(step > GIBIBYTE / 4 && step < 2 ** 31)
})
