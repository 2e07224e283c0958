import { Template } from '@huggingface/jinja'
import { type ChatMessage, ShoalError } from '@shoal/core'

export interface TemplateOptions {
  /** Jinja source out of the GGUF; null = the model has none. */
  readonly source: string | null
  readonly bosToken: string
  readonly eosToken: string
}

export interface RenderOptions {
  readonly messages: readonly ChatMessage[]
  readonly thinking: boolean
  /** Ends with what makes the model answer. */
  readonly addGenerationPrompt: boolean
}

export type PromptTemplate = (options: RenderOptions) => string

/**
 * Renders messages by the model's own chat template, with the variables transformers gives it. A model without one gets plain
 * labelled lines, which every base model can continue.
 *
 * Throws MODEL_FILE_INVALID for a template that does not parse; the returned function throws INVALID_REQUEST with the words of a
 * template that refuses the messages, for example for roles that do not alternate.
 */
export function createPromptTemplate(options: TemplateOptions): PromptTemplate {
  if (options.source === null) return renderPlain
  const template = parseTemplate(options.source)
  const render = ({ messages, thinking, addGenerationPrompt }: RenderOptions) =>
    template.render({
      messages: messages.map(({ role, content }) => ({ role, content })),
      add_generation_prompt: addGenerationPrompt,
      bos_token: options.bosToken,
      eos_token: options.eosToken,
      enable_thinking: thinking,
    })
  return (request) => {
    try {
      return render(request)
    } catch (refused) {
      const merged = mergeSystemMessages(request.messages)
      if (merged !== null) {
        try {
          return render({ ...request, messages: merged })
        } catch {
          // The template refuses these messages for another reason: its first answer says it best.
        }
      }
      throw new ShoalError({
        code: 'INVALID_REQUEST',
        message: `The chat template of this model refuses these messages: ${refused instanceof Error ? refused.message : String(refused)}`,
        param: 'messages',
        cause: refused,
      })
    }
  }
}

/** For templates that know no system role: its text goes in front of the first user message. Null = there is nothing to merge. */
export function mergeSystemMessages(messages: readonly ChatMessage[]): ChatMessage[] | null {
  const system = messages.filter((message) => message.role === 'system').map((message) => message.content)
  const rest = messages.filter((message) => message.role !== 'system')
  const first = rest.findIndex((message) => message.role === 'user')
  const user = rest[first]
  if (system.length === 0 || user === undefined) return null
  return rest.with(first, { role: 'user', content: [...system, user.content].join('\n\n') })
}

function parseTemplate(source: string): Template {
  try {
    return new Template(source)
  } catch (error) {
    throw new ShoalError({
      code: 'MODEL_FILE_INVALID',
      message: `The chat template in this file cannot be parsed: ${error instanceof Error ? error.message : String(error)}`,
      cause: error,
    })
  }
}

const plainLabels = { system: null, user: 'User', assistant: 'Assistant', tool: 'Tool' } as const

function renderPlain({ messages, addGenerationPrompt }: RenderOptions): string {
  const lines = messages.map(({ role, content }) => {
    const label = plainLabels[role]
    return label === null ? `${content}\n\n` : `${label}: ${content}\n`
  })
  return lines.join('') + (addGenerationPrompt ? 'Assistant:' : '')
}
