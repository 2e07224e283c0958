import { progress } from '@clack/prompts'

/** Progress of one thing at a time, on stderr: a bar on a terminal, a line for every tenth elsewhere. */
export interface ProgressReport {
  /** `title` names the thing, `share` is 0 to 1 or null while unknown, `detail` may change with every call. */
  update(title: string, share: number | null, detail?: string): void
  /** Ends the bar that is shown, if any. */
  done(): void
}

export function createProgressReport(stream: NodeJS.WriteStream = process.stderr): ProgressReport {
  return stream.isTTY ? createBar(stream) : createLines(stream)
}

function createBar(output: NodeJS.WriteStream): ProgressReport {
  let shown: { readonly title: string; readonly bar: ReturnType<typeof progress>; percent: number } | null = null
  const done = () => {
    shown?.bar.stop(shown.title)
    shown = null
  }
  return {
    update(title, share, detail) {
      const text = detail === undefined ? title : `${title}: ${detail}`
      if (shown !== null && shown.title !== title) done()
      if (shown === null) {
        shown = { title, bar: progress({ max: 100, output }), percent: 0 }
        shown.bar.start(text)
      }
      const percent = Math.round((share ?? 0) * 100)
      shown.bar.advance(Math.max(0, percent - shown.percent), text)
      shown.percent = Math.max(shown.percent, percent)
    },
    done,
  }
}

function createLines(output: NodeJS.WriteStream): ProgressReport {
  let last = ''
  return {
    update(title, share, detail) {
      const key = `${title}${share === null ? '' : ` ${Math.floor(share * 10) * 10} %`}`
      if (key === last) return
      last = key
      output.write(`shoal: ${key}${detail === undefined ? '' : ` (${detail})`}\n`)
    },
    done() {
      last = ''
    },
  }
}
