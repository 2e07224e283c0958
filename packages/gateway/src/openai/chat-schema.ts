import { z } from 'zod'

/** Messages written here come after a field's name, as "must be ...". Values of one parameter may be null, which means absent, like in OpenAI's description. */
const optional = <T extends z.ZodType>(type: T) => type.nullish()
const within = (min: number, max: number) => optional(z.number().min(min).max(max))

export const messagesMax = 4096
export const stopsMax = 16
export const stopLengthMax = 256

/** Unpaired surrogates cannot be sent on as UTF-8: they would become other characters on the way. */
const wholeText = z.string().refine((text) => text.isWellFormed(), 'contains an unpaired surrogate')
const stopText = wholeText.min(1).max(stopLengthMax)

/** Checked further while the parts are joined, where an image can be told from a mistake. */
const contentPart = z.looseObject({ type: z.string(), text: wholeText.optional() })

const message = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
  content: optional(z.union([wholeText, z.array(contentPart)], { error: 'must be a string, or an array of parts with a type' })),
})

/**
 * The body of `POST /v1/chat/completions`: parameters that have an effect, with their ranges. Others pass, because clients send fields that
 * nobody defines. Ranges are OpenAI's where it defines the parameter, llama.cpp's for its extensions.
 */
export const chatSchema = z.looseObject({
  model: z.string().min(1).max(512),
  messages: z.array(message).min(1).max(messagesMax),
  stream: optional(z.boolean()),
  stream_options: optional(z.looseObject({ include_usage: optional(z.boolean()), include_obfuscation: optional(z.boolean()) })),
  max_tokens: optional(z.int().min(1)),
  max_completion_tokens: optional(z.int().min(1)),
  temperature: within(0, 2),
  top_p: within(0, 1),
  top_k: optional(z.int().min(-1).max(1_000_000)),
  min_p: within(0, 1),
  frequency_penalty: within(-2, 2),
  presence_penalty: within(-2, 2),
  repeat_penalty: optional(z.number().gt(0).max(10)),
  logit_bias: optional(z.record(z.string().regex(/^\d{1,9}$/, 'must have a token id as its name'), z.number().min(-100).max(100))),
  // Not z.int(): seeds go beyond what a double holds exactly, and are folded anyway.
  seed: optional(z.number().refine(Number.isInteger, 'must be a whole number')),
  stop: optional(
    z.union([stopText, z.array(stopText).max(stopsMax)], {
      error: `must be a string of 1 to ${stopLengthMax} characters, or up to ${stopsMax} of them`,
    }),
  ),
  reasoning_effort: optional(z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'])),
  enable_thinking: optional(z.boolean()),
  chat_template_kwargs: optional(z.looseObject({ enable_thinking: optional(z.boolean()) })),
})

export type ChatBody = z.infer<typeof chatSchema>
export type MessageBody = ChatBody['messages'][number]
