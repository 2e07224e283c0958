import { isUtf8 } from 'node:buffer'
import { flag, i32s, type MetadataInputs, text, texts, u32 } from './header-encoder.ts'

/** A special token: `control` never shows in text, `marker` does. */
export interface SpecialToken {
  readonly text: string
  readonly kind: 'control' | 'marker'
}

export interface Vocabulary {
  /** In the file's spelling: bytes as letters, a space as "Ġ". */
  readonly tokens: readonly string[]
  /** llama.cpp's token types, in order of `tokens`. */
  readonly types: readonly number[]
  /** True for merged pieces made of whole characters: not for single bytes and special tokens. */
  readonly speakable: readonly boolean[]
  /** Pairs in order of rank: the first that applies wins. */
  readonly merges: readonly string[]
  idOf(token: string): number
}

/** ids 0-255 are the bytes in the order below; merged pieces follow, special tokens come last. */
const normalType = 1
const controlType = 3
const markerType = 4

/**
 * The reversible spelling of byte-level BPE (GPT-2): printable Latin-1 stands for itself, the other bytes move to U+0100 and up.
 */
const byteLetters: readonly string[] = (() => {
  const printable = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  let moved = 0
  return Array.from({ length: 256 }, (_, byte) => {
    if (printable(byte)) return String.fromCodePoint(byte)
    moved += 1
    return String.fromCodePoint(0xff + moved)
  })
})()

const letterBytes: ReadonlyMap<string, number> = new Map(byteLetters.map((letter, byte) => [letter, byte]))

/** Text -> the file's spelling of its UTF-8 bytes. */
export const spell = (value: string): string => [...Buffer.from(value, 'utf8')].map((byte) => byteLetters[byte] ?? '').join('')

/**
 * A byte-level BPE vocabulary in which every given word (a leading space counts) is one token. Each word grows byte by byte, so its
 * beginnings are tokens too; words with a leading space rank first, lest pieces inside them merge before they have grown.
 * @param sizeMax leaves out what does not fit, special tokens excepted.
 */
export function createVocabulary(
  words: readonly string[],
  specials: readonly SpecialToken[],
  sizeMax = Number.POSITIVE_INFINITY,
): Vocabulary {
  const tokens = [...byteLetters]
  const known = new Set(tokens)
  const merges: string[] = []
  const spaced = [...words.filter((word) => word.startsWith(' ')), ...words.filter((word) => !word.startsWith(' '))]
  for (const word of spaced) {
    const letters = [...spell(word)]
    let grown = letters[0] ?? ''
    for (const letter of letters.slice(1)) {
      const piece = grown + letter
      if (!known.has(piece)) {
        if (tokens.length + specials.length >= sizeMax) break
        merges.push(`${grown} ${letter}`)
        tokens.push(piece)
        known.add(piece)
      }
      grown = piece
    }
  }
  const types = tokens.map(() => normalType)
  const speakable = tokens.map((token, id) => id >= byteLetters.length && isWholeText(token))
  for (const special of specials) {
    tokens.push(special.text)
    types.push(special.kind === 'control' ? controlType : markerType)
    speakable.push(false)
  }
  const ids = new Map(tokens.map((token, id) => [token, id]))
  return {
    tokens,
    types,
    speakable,
    merges,
    idOf(token) {
      const id = ids.get(token)
      if (id === undefined) throw new RangeError(`no token "${token}"`)
      return id
    },
  }
}

/** Whether a spelled token decodes by itself. */
function isWholeText(token: string): boolean {
  const bytes = Uint8Array.from([...token], (letter) => letterBytes.get(letter) ?? 0)
  return isUtf8(bytes)
}

const startOfTurn = '<|im_start|>'
export const endOfTurn = '<|im_end|>'
const endOfText = '<|endoftext|>'

/** Special tokens of the ChatML family, as Qwen names them. */
export const chatSpecials: readonly SpecialToken[] = [
  { text: endOfText, kind: 'control' },
  { text: startOfTurn, kind: 'control' },
  { text: endOfTurn, kind: 'control' },
  { text: '<think>', kind: 'marker' },
  { text: '</think>', kind: 'marker' },
]

export const chatRoles: readonly string[] = ['system', 'user', 'assistant']

const chatTurns = `{%- for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{%- endfor %}`

/** ChatML. */
export const chatTemplate = `${chatTurns}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}`

/** ChatML of a thinking model: opens a block of thoughts when `enable_thinking` is true, else an empty one, as Qwen3.5's small models do. */
export const thinkingChatTemplate = `${chatTurns}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is true %}{{ '<think>\\n' }}{%- else %}{{ '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}`

export function vocabularyMetadata(vocabulary: Vocabulary, template: string): MetadataInputs {
  return {
    'tokenizer.ggml.model': text('gpt2'),
    'tokenizer.ggml.pre': text('gpt-2'),
    'tokenizer.ggml.tokens': texts(vocabulary.tokens),
    'tokenizer.ggml.token_type': i32s(vocabulary.types),
    'tokenizer.ggml.merges': texts(vocabulary.merges),
    'tokenizer.ggml.bos_token_id': u32(vocabulary.idOf(endOfText)),
    'tokenizer.ggml.eos_token_id': u32(vocabulary.idOf(endOfTurn)),
    'tokenizer.ggml.padding_token_id': u32(vocabulary.idOf(endOfText)),
    'tokenizer.ggml.add_bos_token': flag(false),
    'tokenizer.chat_template': text(template),
  }
}
