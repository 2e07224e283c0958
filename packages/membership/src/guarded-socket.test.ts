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
  send(...packets: Buffer[]): Promise<void>
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
  socket.on('message', (packet) => got.push(packet.subarray(12).toString()))
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

/** A DNS message that claims so many questions and records. */
function message(body: string, questions = 0, answers = 0): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt16BE(questions, 4)
  header.writeUInt16BE(answers, 6)
  return Buffer.concat([header, Buffer.from(body)])
}

describe('the guarded socket', () => {
  it('lets messages through that name our services or ask for all, and no others', async () => {
    await using it = await rig()
    await it.send(
      ...['a shoal b', 'printer', '_services', '', 'xshoal-gw'].map((body) => message(body)),
      Buffer.from('shoal'),
      Buffer.alloc(0),
    )
    expect(it.got).toEqual(['a shoal b', '_services', 'xshoal-gw'])
  })

  it('drops messages that claim more records than they have bytes for', async () => {
    await using it = await rig()
    const names = 'shoal'.padEnd(16)
    await it.send(message(names, 1, 1), message(names, 2, 1), message(names, 3), message(names, 4), message(names, 0, 0xffff))
    expect(it.got).toHaveLength(2)
  })

  it('drops packets beyond 9,000 bytes', async () => {
    await using it = await rig()
    await it.send(message('shoal'.padEnd(8_988)), message('shoal'.padEnd(8_989)))
    expect(it.got.map((text) => text.length)).toEqual([8_988])
  })

  it('drops packets from outside the subnet of its interface', async () => {
    await using it = await rig({ ...lo, address: '10.0.0.1', netmask: '255.255.255.0' })
    await it.send(message('shoal'))
    expect(it.got).toEqual([])
  })

  it('takes 100 packets of one sender at once and 25 a second after that', async () => {
    await using it = await rig()
    await it.send(...Array.from({ length: 150 }, () => message('shoal')))
    expect(it.got).toHaveLength(100)
    it.clock.advance(2_000)
    await it.send(...Array.from({ length: 80 }, () => message('shoal')))
    expect(it.got).toHaveLength(150)
  })

  it('survives a listener that throws, and says so', async () => {
    await using it = await rig()
    it.socket.prependListener('message', (packet) => {
      if (packet.toString().includes('bad')) throw new TypeError('unreadable')
    })
    await it.send(message('shoal bad'), message('shoal good'))
    expect(it.got).toEqual(['shoal good'])
    expect(it.errors).toEqual([new TypeError('unreadable')])
  })
})
