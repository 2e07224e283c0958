import { progress } from '@clack/prompts'

/** Progress of one thing at a time, on stderr: a bar on a terminal, a line for every tenth elsewhere. */
export interface ProgressReport {
  /** `share` is 0 to 1, or null while unknown. */
  update(label: string, share: number | null): void
  /** Ends the bar that is shown, if any. */
  done(message?: string): void
}

export function createProgressReport(stream: NodeJS.WriteStream = process.stderr): ProgressReport {
  return stream.isTTY ? createBar(stream) : createLines(stream)
}

function createBar(output: NodeJS.WriteStream): ProgressReport {
  let shown: { title: string; bar: ReturnType<typeof progress>; percent: number } | null = null
  const titleOf = (label: string) => label.split('  ')[0] ?? label
  const done = (message?: string) => {
    shown?.bar.stop(message ?? shown.title)
    shown = null
  }
  return {
    update(label, share) {
      if (shown !== null && shown.title !== titleOf(label)) done()
      if (shown === null) {
        shown = { title: titleOf(label), bar: progress({ max: 100, output }), percent: 0 }
        shown.bar.start(label)
      }
      const percent = Math.round((share ?? 0) * 100)
      shown.bar.advance(Math.max(0, percent - shown.percent), label)
      shown.percent = Math.max(shown.percent, percent)
    },
    done,
  }
}

function createLines(output: NodeJS.WriteStream): ProgressReport {
  let last = ''
  return {
    update(label, share) {
      const title = label.split('  ')[0] ?? label
      const tenth = share === null ? '' : ` ${Math.floor(share * 10) * 10} %`
      const line = `${title}${tenth}`
      if (line === last) return
      last = line
      output.write(`shoal: ${line}\n`)
    },
    done(message) {
      last = ''
      if (message !== undefined) output.write(`shoal: ${message}\n`)
    },
  }
}
