/** Monotonic time and timers, as an argument. */
export interface Clock {
  /** Milliseconds from an arbitrary start; never goes back. */
  nowMs(): number
  /** Milliseconds since 1970; may jump. For people and for files only. */
  wallMs(): number
  /** Calls `run` once after `delayMs`; the returned function cancels. */
  after(delayMs: number, run: () => void): () => void
}

export type LogFields = Readonly<Record<string, unknown>>

/** Structured log. Never put prompt or answer text in it. */
export interface Log {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  child(fields: LogFields): Log
}

export interface Counter {
  inc(labels?: Readonly<Record<string, string>>, by?: number): void
}
export interface Gauge {
  set(value: number, labels?: Readonly<Record<string, string>>): void
}
export interface Histogram {
  observe(value: number, labels?: Readonly<Record<string, string>>): void
}
export interface MetricOptions {
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
}

/** Registry of metrics; `expose` renders the Prometheus text format. */
export interface Metrics {
  counter(options: MetricOptions): Counter
  gauge(options: MetricOptions): Gauge
  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): Histogram
  expose(): Promise<string>
}

/** Source of randomness, as an argument: a float in [0, 1). */
export type Random = () => number
