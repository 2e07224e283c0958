import type { MetricOptions, Metrics } from '@shoal/core'
import { ShoalError } from '@shoal/core'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export interface MetricsSettings {
  /** Adds the usual `process_*` and `nodejs_*` metrics. */
  readonly processMetrics?: boolean
}

/**
 * A registry of its own, never the library's global one: two programs in one process do not see each other's metrics.
 * Asking again for a metric of the same name, kind and labels gives the same one; a clash is INTERNAL.
 */
export function createMetrics({ processMetrics = false }: MetricsSettings = {}): Metrics {
  const registry = new Registry()
  if (processMetrics) collectDefaultMetrics({ register: registry })
  const known = new Map<string, { readonly shape: string; readonly metric: unknown }>()
  const once = <T>(kind: string, options: MetricOptions & { readonly buckets?: readonly number[] }, make: () => T): T => {
    const shape = JSON.stringify([kind, options.labels ?? [], options.buckets ?? []])
    const found = known.get(options.name)
    if (found !== undefined && found.shape === shape) return found.metric as T
    if (found !== undefined)
      throw new ShoalError({ code: 'INTERNAL', message: `Metric ${options.name} is registered twice, as ${found.shape} and ${shape}.` })
    const metric = make()
    known.set(options.name, { shape, metric })
    return metric
  }
  const common = ({ name, help, labels }: MetricOptions) => ({ name, help, labelNames: [...(labels ?? [])], registers: [registry] })
  return {
    counter(options) {
      const counter = once('counter', options, () => new Counter(common(options)))
      return { inc: (labels, by) => (labels === undefined ? counter.inc(by) : counter.inc({ ...labels }, by)) }
    },
    gauge(options) {
      const gauge = once('gauge', options, () => new Gauge(common(options)))
      return { set: (value, labels) => (labels === undefined ? gauge.set(value) : gauge.set({ ...labels }, value)) }
    },
    histogram(options) {
      const histogram = once('histogram', options, () => new Histogram({ ...common(options), buckets: [...options.buckets] }))
      return { observe: (value, labels) => (labels === undefined ? histogram.observe(value) : histogram.observe({ ...labels }, value)) }
    },
    expose: () => registry.metrics(),
  }
}
