/** Sends many chat requests at a time and prints what came back as JSON: `burst.ts BASE_URL COUNT MODEL`. */
const [base = '', count = '1', model = 'auto'] = process.argv.slice(2)
const answers = await Promise.all(
  Array.from({ length: Number(count) }, async (_, index) => {
    const response = await fetch(`${base}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model, max_tokens: 24, seed: index, messages: [{ role: 'user', content: `Question ${index}?` }] }),
    })
    const body = (await response.json()) as { choices?: { message: { content: string } }[]; error?: { code: string } }
    return { status: response.status, text: body.choices?.[0]?.message.content ?? null, error: body.error?.code ?? null }
  }),
)
process.stdout.write(`${JSON.stringify(answers)}\n`)
