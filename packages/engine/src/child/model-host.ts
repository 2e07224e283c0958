import type { InferenceRequest } from '@shoal/core'
import { ShoalError } from '@shoal/core'
import type { LlamaContextSequence, LlamaModel } from 'node-llama-cpp'
import type { NativeModel } from './load-model.ts'
import type { Outbox } from './outbox.ts'
import { createPrompt, type Vocabulary } from './prompt.ts'
import { createPromptTemplate } from './prompt-template.ts'
import { readRecommendedSampling } from './recommended-sampling.ts'
import { runRequest } from './run-request.ts'
import { chooseSlot } from './slots.ts'
import { createControlText } from './special-tokens.ts'

interface Slot {
  sequence: LlamaContextSequence
  lastUsed: number
  busy: boolean
}

export interface ModelHost {
  generate(run: number, request: InferenceRequest): Promise<void>
  cancel(run: number): void
  dispose(): Promise<void>
}

/** Runs requests on the sequences of one loaded model and reports them through the outbox. */
export function createModelHost(native: NativeModel, outbox: Outbox): ModelHost {
  const { model, rounds, facts } = native
  const vocabulary = readVocabulary(model)
  const template = createPromptTemplate({
    source: readChatTemplate(model),
    bosToken: model.tokens.bosString ?? '',
    eosToken: model.tokens.eosString ?? '',
  })
  const recommended = readRecommendedSampling(model.fileInfo.metadata.general)
  const slots: Slot[] = native.sequences.map((sequence) => ({ sequence, lastUsed: 0, busy: false }))
  const cancels = new Map<number, AbortController>()
  let uses = 0

  const takeSlot = (promptIds: readonly number[]): Slot => {
    const free = slots.filter((slot) => !slot.busy)
    const states = free.map((slot) => ({ cachedTokenIds: slot.sequence.contextTokens, lastUsed: slot.lastUsed }))
    const slot = free[chooseSlot(states, promptIds)]
    if (slot === undefined) throw new ShoalError({ code: 'NODE_BUSY', message: `All ${slots.length} slots are in use.` })
    slot.busy = true
    slot.lastUsed = ++uses
    return slot
  }

  const serve = async (run: number, request: InferenceRequest, signal: AbortSignal) => {
    const prompt = await createPrompt(request, { template, vocabulary, contextTokens: facts.contextTokens })
    if (signal.aborted) throw new ShoalError({ code: 'CANCELLED', message: 'The request was cancelled.' })
    const slot = takeSlot(prompt.tokenIds)
    const seat = rounds.join()
    try {
      return await runRequest(request, prompt, {
        model,
        sequence: slot.sequence,
        seat,
        contextTokens: facts.contextTokens,
        recommended,
        signal,
        onAccepted: (cachedTokens) =>
          outbox.push({ kind: 'accepted', run, promptTokenIds: Uint32Array.from(prompt.tokenIds), cachedTokens }),
        onTokens: (tokenIds, text) => outbox.push({ kind: 'tokens', run, tokenIds, text }),
      })
    } catch (error) {
      // What an unexpected failure left in the sequence is unknown.
      if (!(error instanceof ShoalError)) await slot.sequence.clearHistory()
      throw error
    } finally {
      seat.leave()
      slot.busy = false
    }
  }

  return {
    async generate(run, request) {
      const cancel = new AbortController()
      cancels.set(run, cancel)
      try {
        const reason = await serve(run, request, cancel.signal)
        outbox.push({ kind: 'finished', run, reason })
      } catch (error) {
        const { code, message, remedy, param } = ShoalError.from(error)
        outbox.push({ kind: 'failed', run, error: { code, message, remedy, ...(param === null ? {} : { param }) } })
      } finally {
        cancels.delete(run)
      }
    },
    cancel: (run) => cancels.get(run)?.abort(),
    dispose: () => model.dispose(),
  }
}

function readVocabulary(model: LlamaModel): Vocabulary {
  const controlTexts: string[] = []
  for (const token of model.iterateAllTokens()) {
    const attributes = model.getTokenAttributes(token)
    if (attributes.control || attributes.unknown) controlTexts.push(model.detokenize([token], true))
  }
  return {
    tokenize: (text, continued) => model.tokenize(text, true, continued ? 'trimLeadingSpace' : undefined) as number[],
    control: createControlText(controlTexts),
    bosTokenId: model.tokens.shouldPrependBosToken ? model.tokens.bos : null,
  }
}

function readChatTemplate(model: LlamaModel): string | null {
  const template: unknown = model.fileInfo.metadata.tokenizer?.chat_template
  return typeof template === 'string' && template.trim() !== '' ? template : null
}
