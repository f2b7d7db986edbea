// The plainest server there is, for comparison: gives back what it gets, at once. What it takes longer than nothing is the machine's doing.

import { createServer } from 'node:net'

const server = createServer({ noDelay: true }, socket => {
  socket.on('error', () => socket.destroy())
  socket.pipe(socket)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(address.port)
})
