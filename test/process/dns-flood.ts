import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'

/**
 * Sends hostile packets to the mDNS group: `node dns-flood.ts KIND COUNT ADDRESS`, from the interface with that address. Kinds: `garbage`
 * (random bytes, cut and looping messages that name our services) and `announcements` (valid ones, each of another machine).
 */
const [kind = 'garbage', count = '2000', address = '0.0.0.0'] = process.argv.slice(2)

function name(text: string): Buffer {
  const labels = text.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
  return Buffer.concat([...labels, Buffer.from([0])])
}

function record(owner: string, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(type, 0)
  fixed.writeUInt16BE(1, 2)
  fixed.writeUInt32BE(4_500, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([name(owner), fixed, data])
}

function response(records: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt16BE(0x8400, 2)
  header.writeUInt16BE(records.length, 6)
  return Buffer.concat([header, ...records])
}

function announcement(index: number): Buffer {
  const type = '_shoal._tcp.local'
  const instance = `flood${index}.${type}`
  const host = `shoal-${index.toString(16).padStart(8, '0')}-1-10-77-0-99.local`
  const text = ['txtvers=1', `id=flood${index}`].map((entry) => Buffer.concat([Buffer.from([entry.length]), Buffer.from(entry)]))
  const service = Buffer.concat([Buffer.from([0, 0, 0, 0, 0x1c, 0xf4]), name(host)])
  return response([
    record(type, 12, name(instance)),
    record(instance, 33, service),
    record(instance, 16, Buffer.concat(text)),
    record(host, 1, Buffer.from([10, 77, 0, 99])),
  ])
}

/** Messages that parsers stumble over: lengths beyond the end, names that point at themselves, counts that lie. */
function garbage(index: number): Buffer {
  const valid = announcement(index)
  switch (index % 6) {
    case 0:
      return randomBytes(1 + (index % 400))
    case 1:
      return valid.subarray(0, 12 + (index % (valid.length - 12)))
    case 2:
      return Buffer.concat([valid.subarray(0, 12), Buffer.from([0xc0, 0x0c]), Buffer.from('shoal')])
    case 3:
      return Buffer.concat([Buffer.from([0, 0, 0x84, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), valid.subarray(12)])
    case 4: {
      const bent = Buffer.from(valid)
      for (const byte of randomBytes(8)) bent[12 + (byte % (bent.length - 12))] = byte
      return bent
    }
    default:
      return response([record('_shoal._tcp.local', 12, Buffer.alloc(0)), record('_shoal._tcp.local', 33, Buffer.from('shoal'))])
  }
}

const socket = createSocket({ type: 'udp4', reuseAddr: true })
socket.bind(0, address)
socket.once('listening', () => {
  socket.setMulticastInterface(address)
  socket.setMulticastTTL(255)
  const total = Number(count)
  const sendNext = (index: number) => {
    if (index === total) return socket.close()
    const packet = kind === 'announcements' ? announcement(index) : garbage(index)
    socket.send(packet, 5353, '224.0.0.251', () => sendNext(index + 1))
  }
  sendNext(0)
})
