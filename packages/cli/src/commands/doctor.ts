import { type ErrorCode, ShoalError } from '@shoal/core'
import pc from 'picocolors'
import { checkMdns } from '../doctor/check-mdns.ts'
import {
  type Check,
  checkClock,
  checkDisk,
  checkEngine,
  checkGateway,
  checkInterfaces,
  checkNodeVersion,
  checkPorts,
} from '../doctor/checks.ts'
import type { GlobalOptions } from './context.ts'
import { directoriesOf, logOf } from './serve.ts'

const failed: ErrorCode = 'ENGINE_UNAVAILABLE'

/** `shoal doctor`: checks this machine one thing after another; every finding comes with its remedy. Fails when one check fails. */
export async function runDoctor(options: GlobalOptions): Promise<void> {
  const log = logOf(options, 'doctor')
  const directories = await directoriesOf({})
  const checks: Check[] = [
    checkNodeVersion(process.versions.node),
    ...(await checkInterfaces()),
    ...(await checkMdns(log)),
    ...(await checkPorts([7411, 7412])),
    checkClock(Date.now()),
    await checkDisk(directories.models),
    ...(await checkEngine(log)),
    await checkGateway(options),
  ]
  if (options.output === 'json') process.stdout.write(`${JSON.stringify({ checks }, null, 2)}\n`)
  else for (const check of checks) process.stdout.write(render(check))
  const bad = checks.filter((check) => check.outcome === 'bad')
  if (bad.length > 0) {
    throw new ShoalError({
      code: failed,
      message: `${bad.length} of ${checks.length} checks failed: ${bad.map((check) => check.what).join(', ')}.`,
      remedy: 'Do what is said beside each, then run it again.',
    })
  }
}

function render({ outcome, what, finding, remedy }: Check): string {
  const colors = pc.createColors(process.stdout.isTTY && process.env.NO_COLOR === undefined)
  const mark = { good: colors.green('ok  '), note: colors.yellow('note'), bad: colors.red('bad ') }[outcome]
  return `${mark}  ${what}: ${finding}\n${remedy === null ? '' : `      -> ${remedy}\n`}`
}
