import { runProgram } from './program.ts'

// `shoal plan | head -1`: whoever reads has read enough.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
}
process.exitCode = await runProgram(process.argv)
