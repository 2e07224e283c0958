import { type ErrorCode, errorTable, modelId, ShoalError } from '@shoal/core'
import { expect, test } from 'vitest'
import { createFakeNodeApi } from '../fake-node-api.ts'
import { type ConnectNodeApi, createEndlessNode, never, request } from './fixtures.ts'

export function describeErrors(connect: ConnectNodeApi): void {
  test('every error of the vocabulary arrives whole', async () => {
    const codes = Object.keys(errorTable) as ErrorCode[]
    const thrown = codes.map(
      (code) => new ShoalError({ code, message: `wrong: ${code} é`, remedy: 'do that', param: 'messages[0]', retryAfterMs: 1500 }),
    )
    let next = 0
    const api = createFakeNodeApi({
      unloadModel: () => Promise.reject(thrown[next]),
      generate: () => Promise.reject(thrown[next]),
    })
    await using client = await connect(api)
    for (const error of thrown) {
      const { code, message, remedy, param, retryAfterMs } = error
      const same = { name: 'ShoalError', code, message, remedy, param, retryAfterMs }
      await expect(client.unloadModel(modelId('m'), never())).rejects.toMatchObject(same)
      await expect(client.generate(request(), () => {}, never())).rejects.toMatchObject(same)
      next += 1
    }
    expect(next).toBe(codes.length)
  })

  test('an error without parameter and waiting time has none afterwards', async () => {
    await using client = await connect(createFakeNodeApi())
    await expect(client.unloadModel(modelId('absent'), never())).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
      message: 'this node has not loaded absent',
      remedy: errorTable.MODEL_UNKNOWN.remedy,
      param: null,
      retryAfterMs: null,
    })
  })

  test('a defect in the node is INTERNAL and tells nothing of what it worked on', async () => {
    const generate = () => Promise.reject(new SyntaxError('unexpected token in "a secret prompt"'))
    await using client = await connect(createFakeNodeApi({ generate }))
    const failure: unknown = await client.generate(request(), () => {}, never()).catch((error: unknown) => error)
    expect(failure).toMatchObject({ name: 'ShoalError', code: 'INTERNAL' })
    expect(String(failure)).not.toContain('secret')
  })

  test('an endless or broken message is cut and still says its code', async () => {
    const message = '\u{1F600}\ud800"\n\u0000'.repeat(10_000)
    const unloadModel = () => Promise.reject(new ShoalError({ code: 'LOAD_FAILED', message }))
    await using client = await connect(createFakeNodeApi({ unloadModel }))
    const failure = await client.unloadModel(modelId('m'), never()).catch((error: unknown) => ShoalError.from(error))
    expect(failure).toMatchObject({ code: 'LOAD_FAILED' })
    expect(failure?.message.length).toBeGreaterThan(50)
    expect(failure?.message.length).toBeLessThan(2000)
  })

  test('a request outside the contract is refused before the node sees it', async () => {
    const api = createFakeNodeApi({ generate: () => Promise.reject(new Error('must not be called')) })
    await using client = await connect(api)
    await expect(client.generate(request({ modelId: modelId('') }), () => {}, never())).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      param: 'model_id',
    })
  })

  test('the end of one call leaves the others alone', async () => {
    const node = createEndlessNode()
    const unloadModel = () => Promise.reject(new ShoalError({ code: 'MODEL_UNKNOWN', message: 'no such model' }))
    await using client = await connect({ ...node.api, unloadModel })
    const cancel = new AbortController()
    const endless = client.generate(request(), () => {}, cancel.signal)
    await node.begun
    await expect(client.unloadModel(modelId('m'), never())).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' })
    expect(await client.describe(never())).toStrictEqual(node.api.description)
    cancel.abort()
    await expect(endless).rejects.toMatchObject({ code: 'CANCELLED' })
  })
}
