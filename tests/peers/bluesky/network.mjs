// Starts the reference Bluesky network on loopback and says where it is, in one line of JSON.
import net from 'node:net'

// The network's servers listen on every address of the machine unless they are told otherwise.
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (where, ...rest) {
  const options = typeof where === 'object' ? where : { port: where }
  return listen.call(this, { host: '127.0.0.1', ...options }, ...rest)
}

const { TestNetwork } = await import('@atproto/dev-env')
const { plc, pds, bsky } = await TestNetwork.create({
  dbPostgresSchema: 'heard', // letters only: it becomes part of unquoted names
  pds: { hostname: 'localhost' },
})
console.log(JSON.stringify({ plc: plc.url, pds: pds.url, appview: bsky.url }))
