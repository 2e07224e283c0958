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

const barCells = 30

/**
 * One line, written again and again. Not a prompt library's bar: those read the keyboard and end the process on Ctrl-C, which must drain here
 * while a better model is fetched behind the one that serves.
 */
function createBar(output: NodeJS.WriteStream): ProgressReport {
  let shown: string | null = null
  const done = () => {
    if (shown !== null) output.write('\n')
    shown = null
  }
  return {
    update(title, share, detail) {
      if (shown !== null && shown !== title) done()
      shown = title
      const filled = Math.round((share ?? 0) * barCells)
      const percent = share === null ? '' : `${Math.round(share * 100)} %`.padStart(6)
      const line = `${'#'.repeat(filled)}${'.'.repeat(barCells - filled)}${percent}  ${title}${detail === undefined ? '' : `: ${detail}`}`
      // A line that wraps could not be taken back.
      output.write(`\r\u001b[K${line.slice(0, Math.max(20, (output.columns ?? 80) - 1))}`)
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
