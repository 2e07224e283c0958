import { expect, test } from 'vitest'
import { createChildEnvironment } from './child-environment.ts'

test('a child gets what drivers need, and no keys', () => {
  const parent = {
    PATH: '/bin',
    HOME: '/root',
    Temp: 'C:\\Temp',
    CUDA_VISIBLE_DEVICES: '0',
    GGML_BACKEND_PATH: '/x.so',
    HF_TOKEN: 'secret',
    AWS_SECRET_ACCESS_KEY: 'secret',
    NODE_OPTIONS: '--inspect',
    UV_THREADPOOL_SIZE: '1',
  }
  expect(createChildEnvironment(parent, 8)).toEqual({
    PATH: '/bin',
    HOME: '/root',
    Temp: 'C:\\Temp',
    CUDA_VISIBLE_DEVICES: '0',
    GGML_BACKEND_PATH: '/x.so',
    UV_THREADPOOL_SIZE: '8',
  })
})
