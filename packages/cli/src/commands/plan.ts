import { basename } from 'node:path'
import { type InvalidModelFile, type LocalPlan, planLocal, startOf } from '@shoal/agent'
import { ShoalError } from '@shoal/core'
import { type CandidatePlan, resolveModelName } from '@shoal/planner'
import { systemClock } from '@shoal/runtime'
import { formatBytes, formatSpeed } from '../output/format.ts'
import { printRows } from '../output/table.ts'
import type { GlobalOptions } from './context.ts'
import { directoriesOf, logOf } from './serve.ts'

export interface PlanOptions extends GlobalOptions {
  readonly context?: number
  readonly slots?: number
  readonly minSpeed?: number
  readonly modelsDir?: string
}

/** `shoal plan [MODEL]`: what this machine should serve, and for every other candidate why not; with a model, its terms one by one. */
export async function runPlan(model: string | undefined, options: PlanOptions): Promise<void> {
  const plan = await planLocal({
    directories: await directoriesOf(options),
    log: logOf(options, 'plan'),
    clock: systemClock,
    contextTokens: options.context ?? null,
    slots: options.slots ?? null,
    tokensPerSecondMin: options.minSpeed ?? null,
    withCatalog: true,
    model: model ?? null,
  })
  const { choice, invalidFiles } = plan
  if (model !== undefined) return printTerms(findPlan(choice.plans, { model, invalidFiles }), options)
  for (const { path, reason } of invalidFiles) process.stderr.write(`shoal: ${path} is left out: ${reason}\n`)
  printRows({
    kind: options.output,
    value: { chosen: choice.chosen, smallestFitting: choice.smallestFitting, plans: choice.plans },
    head: ['', 'model', 'verdict', 'needs (est.)', 'speed (est.)', 'why'],
    rows: choice.plans.map((each) => [each === choice.chosen ? '*' : '', each.candidate.modelId, ...describe(each), each.reason]),
    whenEmpty: 'There is no candidate.',
  })
  if (options.output === 'table') process.stdout.write(`\n${summarise(plan)}\n`)
}

function summarise(plan: LocalPlan): string {
  const { chosen } = plan.choice
  const start = startOf(plan)
  return [
    chosen === null ? 'Nothing fits this machine.' : `* ${chosen.candidate.modelId}: the best this machine could have.`,
    start === null ? 'shoal up would serve the demo model.' : `shoal up would serve ${start.modelId}: ${start.reason}.`,
    ...(plan.profile.memory.bandwidthBytesPerSecond === null
      ? ['The memory bandwidth is unknown, so speeds on the CPU cannot be predicted.']
      : []),
  ].join('\n')
}

function describe(plan: CandidatePlan): [string, string, string] {
  const { tokensPerSecond, tokensPerSecondAtLeast } = plan.speed
  const speed =
    tokensPerSecond === null && tokensPerSecondAtLeast !== null
      ? `at least ${formatSpeed(tokensPerSecondAtLeast)}`
      : formatSpeed(tokensPerSecond)
  return [plan.verdict, formatBytes(plan.sizing.plannedBytes.total), speed]
}

function findPlan(
  plans: readonly CandidatePlan[],
  { model, invalidFiles }: { readonly model: string; readonly invalidFiles: readonly InvalidModelFile[] },
): CandidatePlan {
  const { modelId } = resolveModelName(model)
  const found = plans.find((plan) => plan.candidate.modelId === modelId) ?? plans.find((plan) => plan.candidate.modelId === model)
  if (found !== undefined) return found
  const broken = invalidFiles.find(({ path }) => basename(path).replace(/\.gguf$/i, '') === model.replace(/\.gguf$/i, ''))
  if (broken !== undefined) throw new ShoalError({ code: 'MODEL_FILE_INVALID', message: `${broken.path}: ${broken.reason}` })
  throw new ShoalError({
    code: 'MODEL_UNKNOWN',
    message: `"${model}" is neither in the models folder nor in the catalog.`,
    remedy: 'List the candidates with: shoal plan',
  })
}

function printTerms(plan: CandidatePlan, options: PlanOptions): void {
  const { sizing } = plan
  printRows({
    kind: options.output,
    value: plan,
    head: ['term', 'memory', 'bytes', 'source'],
    rows: [
      ...sizing.terms.map((term) => [term.name, term.memory, formatBytes(term.bytes), term.source]),
      ['planned, without reserve and checkpoints', '', formatBytes(sizing.plannedBytes.total), ''],
      ['budget', 'ram', formatBytes(sizing.budgetBytes.ram), 'measured'],
      ...(sizing.budgetBytes.vram === null ? [] : [['budget', 'vram', formatBytes(sizing.budgetBytes.vram), 'measured']]),
    ],
    whenEmpty: '',
  })
  if (options.output === 'table') process.stdout.write(`\n${plan.candidate.modelId}: ${plan.verdict}: ${plan.reason}\n`)
}
