import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createManualClock } from '@shoal/core/testing'
import { describe, expect, it } from 'vitest'
import { createGuardedSocket } from './guarded-socket.ts'
import type { InterfaceAddress } from './interfaces.ts'

const lo: InterfaceAddress = {
  name: 'lo',
  address: '127.0.0.1',
  netmask: '255.0.0.0',
  family: 'IPv4',
  mac: '00:00:00:00:00:00',
  internal: true,
}

interface Rig extends AsyncDisposable {
  readonly clock: ReturnType<typeof createManualClock>
  readonly socket: Socket
  readonly got: string[]
  readonly errors: unknown[]
  /** Sends packets and resolves when all of them have reached the guard, in whatever way it judged them. */
  send(...packets: (string | Buffer)[]): Promise<void>
}

async function rig(link = lo): Promise<Rig> {
  const clock = createManualClock()
  const got: string[] = []
  const errors: unknown[] = []
  let arrived = 0
  let expected = 0
  let whenArrived = () => {}
  const socket = createGuardedSocket({ link, clock, onPacketError: (error) => errors.push(error) })
  const judged = socket.emit
  socket.emit = (event: string, ...values: unknown[]): boolean => {
    const result = Reflect.apply(judged, socket, [event, ...values]) as boolean
    if (event === 'message' && ++arrived === expected) whenArrived()
    return result
  }
  socket.on('message', (message) => got.push(message.toString()))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const sender = createSocket('udp4')
  return {
    clock,
    socket,
    got,
    errors,
    async send(...packets) {
      for (const packet of packets) {
        expected = arrived + 1
        const done = new Promise<void>((resolve) => {
          whenArrived = resolve
        })
        sender.send(packet, (socket.address() as AddressInfo).port, '127.0.0.1')
        await done
      }
    },
    async [Symbol.asyncDispose]() {
      sender.close()
      socket.close()
    },
  }
}

describe('the guarded socket', () => {
  it('lets packets through that name our services or ask for all, and no others', async () => {
    await using it = await rig()
    await it.send('a shoal b', 'printer', '\u0009_services', Buffer.alloc(0), 'xshoal-gw')
    expect(it.got).toEqual(['a shoal b', '\u0009_services', 'xshoal-gw'])
  })

  it('drops packets beyond 9,000 bytes', async () => {
    await using it = await rig()
    await it.send(`shoal${' '.repeat(8_995)}`, `shoal${' '.repeat(8_996)}`)
    expect(it.got.map((text) => text.length)).toEqual([9_000])
  })

  it('drops packets from outside the subnet of its interface', async () => {
    await using it = await rig({ ...lo, address: '10.0.0.1', netmask: '255.255.255.0' })
    await it.send('shoal')
    expect(it.got).toEqual([])
  })

  it('takes 100 packets of one sender at once and 25 a second after that', async () => {
    await using it = await rig()
    await it.send(...Array.from({ length: 150 }, () => 'shoal'))
    expect(it.got).toHaveLength(100)
    it.clock.advance(2_000)
    await it.send(...Array.from({ length: 80 }, () => 'shoal'))
    expect(it.got).toHaveLength(150)
  })

  it('survives a listener that throws, and says so', async () => {
    await using it = await rig()
    it.socket.prependListener('message', (message) => {
      if (message.toString().includes('bad')) throw new TypeError('unreadable')
    })
    await it.send('shoal bad', 'shoal good')
    expect(it.got).toEqual(['shoal good'])
    expect(it.errors).toEqual([new TypeError('unreadable')])
  })
})
