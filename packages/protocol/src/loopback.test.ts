import { createLoopback } from './loopback.ts'
import { describeNodeApiContract } from './testing.ts'

describeNodeApiContract('loopback', async (api) => createLoopback(api))
