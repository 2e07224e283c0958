import { expect, test } from 'vitest'
import { createMetrics } from './metrics.ts'

test('counters, gauges and histograms come out in the text format', async () => {
  const metrics = createMetrics()
  const requests = metrics.counter({ name: 'shoal_requests_total', help: 'Requests', labels: ['model'] })
  requests.inc({ model: 'a' })
  requests.inc({ model: 'a' }, 2)
  metrics.gauge({ name: 'shoal_nodes', help: 'Nodes' }).set(3)
  const seconds = metrics.histogram({ name: 'shoal_seconds', help: 'Time', labels: ['model'], buckets: [0.1, 1] })
  seconds.observe(0.5, { model: 'a' })
  const text = await metrics.expose()
  expect(text).toContain('shoal_requests_total{model="a"} 3')
  expect(text).toContain('shoal_nodes 3')
  expect(text).toContain('shoal_seconds_bucket{le="0.1",model="a"} 0')
  expect(text).toContain('shoal_seconds_bucket{le="1",model="a"} 1')
  expect(text).toContain('shoal_seconds_sum{model="a"} 0.5')
  expect(text).not.toContain('process_')
})

test('two registries do not see each other', async () => {
  const first = createMetrics()
  const second = createMetrics()
  first.counter({ name: 'shoal_x_total', help: 'x' }).inc()
  second.counter({ name: 'shoal_x_total', help: 'x' }).inc(undefined, 5)
  expect(await first.expose()).toContain('shoal_x_total 1')
  expect(await second.expose()).toContain('shoal_x_total 5')
})

test('the same metric asked for twice is one metric; a different one of that name is an error that names it', async () => {
  const metrics = createMetrics()
  metrics.counter({ name: 'shoal_x_total', help: 'x' }).inc()
  metrics.counter({ name: 'shoal_x_total', help: 'x' }).inc()
  expect(await metrics.expose()).toContain('shoal_x_total 2')
  expect(() => metrics.gauge({ name: 'shoal_x_total', help: 'x' })).toThrow(/shoal_x_total/)
})

test('process metrics are there when asked for', async () => {
  const text = await createMetrics({ processMetrics: true }).expose()
  expect(text).toMatch(/process_resident_memory_bytes \d+/)
})
