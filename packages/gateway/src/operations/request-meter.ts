import { type Clock, type Metrics, ShoalError } from '@shoal/core'
import type { Answer, Output } from '../dispatcher/job.ts'

/** Counts and times of requests for answers. Labels never carry what a client wrote: a model is named only once a node has accepted it. */
export interface RequestMeter {
  measure(output: Output, run: (measured: Output) => Promise<Answer>): Promise<Answer>
}

/** Bucket bounds as the GenAI semantic conventions of OpenTelemetry recommend them. */
const durationBuckets = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
const perTokenBuckets = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5]
const firstTokenBuckets = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

const operation = 'gen_ai_operation_name'
const model = 'gen_ai_request_model'

export function createRequestMeter(metrics: Metrics, clock: Clock): RequestMeter {
  const requests = metrics.counter({
    name: 'shoal_gateway_requests_total',
    help: 'Requests for answers by outcome: ok, or the code of the error the client got.',
    labels: ['outcome'],
  })
  const duration = metrics.histogram({
    name: 'gen_ai_server_request_duration_seconds',
    help: 'From the parsed request to the end of the answer.',
    labels: [operation, model, 'error_type'],
    buckets: durationBuckets,
  })
  const firstToken = metrics.histogram({
    name: 'gen_ai_server_time_to_first_token_seconds',
    help: 'From the parsed request to the first text.',
    labels: [operation, model],
    buckets: firstTokenBuckets,
  })
  const perToken = metrics.histogram({
    name: 'gen_ai_server_time_per_output_token_seconds',
    help: 'Time per token after the first.',
    labels: [operation, model],
    buckets: perTokenBuckets,
  })
  const tokens = metrics.counter({
    name: 'shoal_gateway_tokens_total',
    help: 'Tokens of finished requests; type is prompt, cached (part of prompt) or completion.',
    labels: [model, 'type'],
  })
  const finish = (answer: Answer, startMs: number, firstMs: number | null) => {
    const endMs = clock.nowMs()
    const labels = { [operation]: 'chat', [model]: answer.modelId }
    requests.inc({ outcome: 'ok' })
    duration.observe((endMs - startMs) / 1000, labels)
    if (firstMs !== null) firstToken.observe((firstMs - startMs) / 1000, labels)
    if (firstMs !== null && answer.completionTokens > 1) perToken.observe((endMs - firstMs) / 1000 / (answer.completionTokens - 1), labels)
    tokens.inc({ [model]: answer.modelId, type: 'prompt' }, answer.promptTokens)
    tokens.inc({ [model]: answer.modelId, type: 'cached' }, answer.cachedTokens)
    tokens.inc({ [model]: answer.modelId, type: 'completion' }, answer.completionTokens)
  }
  return {
    async measure(output, run) {
      const startMs = clock.nowMs()
      let firstMs: number | null = null
      let accepted = 'unknown'
      const measured: Output = {
        onAccepted(facts) {
          accepted = facts.modelId
          output.onAccepted(facts)
        },
        onText(text) {
          firstMs ??= clock.nowMs()
          output.onText(text)
        },
      }
      try {
        const answer = await run(measured)
        finish(answer, startMs, firstMs)
        return answer
      } catch (thrown) {
        const code = ShoalError.from(thrown).code.toLowerCase()
        requests.inc({ outcome: code })
        duration.observe((clock.nowMs() - startMs) / 1000, { [operation]: 'chat', [model]: accepted, error_type: code })
        throw thrown
      }
    },
  }
}
