import { ShoalError } from '@shoal/core'
import { shoalVersion } from '@shoal/runtime'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import pc from 'picocolors'
import { runAgentCommand } from './commands/agent.ts'
import { type ChatOptions, runChat } from './commands/chat.ts'
import type { GlobalOptions } from './commands/context.ts'
import { type DeployOptions, runDeploy, runUndeploy } from './commands/deploy.ts'
import { runDoctor } from './commands/doctor.ts'
import { runGatewayCommand } from './commands/gateway.ts'
import { runModels } from './commands/models.ts'
import { runNodes } from './commands/nodes.ts'
import { type PlanOptions, runPlan } from './commands/plan.ts'
import { runProfile } from './commands/profile.ts'
import { runPs } from './commands/ps.ts'
import type { HostOptions, ServingOptions } from './commands/serve.ts'
import { runUp, type UpOptions } from './commands/up.ts'

/** Runs one command line; answers the exit status: 0 done, 1 failed, 2 wrong usage. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  const program = createProgram()
  try {
    await program.parseAsync([...argv])
    return Number(process.exitCode ?? 0)
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2
    return reportFailure(ShoalError.from(thrown), program.opts<{ verbose?: boolean }>().verbose === true)
  }
}

/** Writes what failed and what to do about it; INTERNAL keeps its stack, for it is a defect. */
function reportFailure(error: ShoalError, verbose: boolean): number {
  const colors = pc.createColors(process.stderr.isTTY && process.env.NO_COLOR === undefined)
  process.stderr.write(`${colors.red('shoal:')} ${error.message}\n`)
  if (error.remedy !== '') process.stderr.write(`${error.remedy}\n`)
  if (verbose || error.code === 'INTERNAL') process.stderr.write(`${error.cause instanceof Error ? error.cause.stack : error.stack}\n`)
  return error.code === 'USAGE' ? 2 : 1
}

function createProgram(): Command {
  const program = new Command('shoal')
    .description('Turns machines you already have into one private LLM endpoint.')
    .version(shoalVersion)
    .option('--gateway <url>', 'gateway to talk to (or SHOAL_GATEWAY)')
    .addOption(new Option('-o, --output <kind>', 'how to print').choices(['table', 'json']).default('table'))
    .option('-v, --verbose', 'more in the log and in errors')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
  addServers(program)
  addQuestions(program)
  return program
}

/** Commands that stay in the foreground. */
function addServers(program: Command): void {
  const peers = (command: Command) => command.option('--peer <host:port...>', 'agents to connect with, beside those found by mDNS')
  const host = (command: Command) =>
    command
      .option('--insecure-lan', 'let gRPC leave this machine without encryption, on a network you trust')
      .option('--no-mdns', 'neither announce nor look for others')
  const serving = (command: Command) =>
    command
      .option('--model <model>', 'path, hf:owner/repo:QUANT, catalog id, or auto')
      .option('--models-dir <dir>', 'where model files are')
      .option('--context <tokens>', 'context per request', positiveInteger)
      .option('--slots <n>', 'requests at a time', positiveInteger)
      .option('--threads <n>', 'CPU threads of the engine', positiveInteger)
      .option('--offline', 'never ask the model hub')
      .option('--name <instance>', 'state of its own, to run several on one machine')
  serving(peers(host(program.command('up').description('run a gateway and an agent on this machine'))))
    .option('--port <port>', 'port of the OpenAI-compatible URL', port, 7411)
    .option('--agent-port <port>', 'port of the agent', port, 7412)
    .option('--join', 'if there is a gateway already, be an agent for it without asking')
    .action(handler<UpOptions>(runUp))
  serving(host(program.command('agent').description('run an agent: this machine serves models for a gateway')))
    .option('--agent-port <port>', 'port of the agent', port, 7412)
    .action(handler<ServingOptions>(runAgentCommand))
  peers(host(program.command('gateway').description('run a gateway: one URL for all agents')))
    .option('--port <port>', 'port of the OpenAI-compatible URL', port, 7411)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--name <instance>', 'state of its own, to run several on one machine')
    .action(handler<HostOptions & { port: number; host: string }>(runGatewayCommand))
}

/** Commands that ask, print and end. */
function addQuestions(program: Command): void {
  program.command('nodes').description('nodes and what they are').action(handler(runNodes))
  program.command('models').description('model files on the nodes').action(handler(runModels))
  program.command('ps').description('what runs where').action(handler(runPs))
  program
    .command('plan [model]')
    .description('which model this machine should serve, and why not the others')
    .option('--context <tokens>', 'context per request', positiveInteger)
    .option('--slots <n>', 'requests at a time', positiveInteger)
    .option('--min-speed <tok/s>', 'slowest acceptable prediction', positiveNumber)
    .option('--models-dir <dir>', 'where model files are')
    .action((model: string | undefined, _: unknown, command: Command) => runPlan(model, command.optsWithGlobals<PlanOptions>()))
  program
    .command('deploy <model>')
    .description('have a model served by the fleet; auto: the best that several nodes can serve')
    .option('--replicas <n>', 'on how many nodes', positiveInteger, 1)
    .option('--context <tokens>', 'context per request', positiveInteger)
    .option('--slots <n>', 'requests at a time', positiveInteger)
    .option('--detach', 'do not wait until it is ready')
    .action((model: string, _: unknown, command: Command) => runDeploy(model, command.optsWithGlobals<DeployOptions>()))
  program
    .command('undeploy <deployment>')
    .description('take a deployment back, by id or model')
    .action((name: string, _: unknown, command: Command) => runUndeploy(name, command.optsWithGlobals<GlobalOptions>()))
  program.command('profile').description('what this machine is').action(handler(runProfile))
  program
    .command('chat [prompt]')
    .description('ask a model')
    .option('--model <model>', 'which one', 'auto')
    .option('--system <text>', 'system message')
    .option('--max-tokens <n>', 'longest answer', positiveInteger)
    .option('--temperature <t>', 'sampling temperature, 0 to 2', temperature)
    .action((prompt: string | undefined, _: unknown, command: Command) => runChat(prompt, command.optsWithGlobals<ChatOptions>()))
  program.command('doctor').description('check this machine, and say what to do').action(handler(runDoctor))
}

const handler =
  <Options>(run: (options: Options & GlobalOptions) => Promise<void>) =>
  (_: unknown, command: Command): Promise<void> =>
    run(command.optsWithGlobals<Options & GlobalOptions>())

function positiveInteger(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1 on.')
  return value
}

function positiveNumber(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('It must be a number above 0.')
  return value
}

function temperature(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value <= 2)) throw new InvalidArgumentError('It must be a number from 0 to 2.')
  return value
}

function port(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0 || value > 65_535) throw new InvalidArgumentError('It must be a port from 0 to 65535.')
  return value
}
