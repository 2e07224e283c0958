import type { NodeProfile } from '@shoal/core'
import type { Correction } from './correction.ts'
import { gpuBandwidthBytesPerSecond } from './gpu-bandwidth.ts'
import type { ModelDimensions } from './model-dimensions.ts'
import type { Sizing } from './size-model.ts'

export interface Speed {
  /** Decoding one stream; null = a bandwidth is unknown. Null is never taken for fast. */
  readonly tokensPerSecond: number | null
  /** What it can hardly be below; equal to the prediction where there is one. Null = not even that is known. */
  readonly tokensPerSecondAtLeast: number | null
}

/**
 * Share of the bandwidth a read probe measures that decoding on a CPU is taken to reach; an estimate, replaced by what the first load on
 * the node measures. Published runs reach 0.45 to 0.7 of the theoretical bandwidth, which no probe exceeds.
 */
const cpuEfficiency = 0.65
/** Share of a GPU's specified bandwidth: published runs of dense models on NVIDIA, AMD and Apple come to 0.65 to 0.85. */
const gpuEfficiency = 0.8

/**
 * Milliseconds per token beside reading weights, mostly launches of small kernels: about 1 for dense transformers and gpt-oss, 0.08
 * to 0.15 per layer for models with many small steps per layer (recurrent state, many experts). What published runs leave over after
 * bytes / (0.8 * bandwidth) is 0 to 2 and 3 to 8 on GPUs, with a wide spread.
 */
function overheadMs({ architecture, isHybrid, usesExperts, layerCount }: ModelDimensions, onGpu: boolean): number {
  const layers = layerCount ?? 32
  if (isHybrid) return (onGpu ? 0.11 : 0.15) * layers
  return onGpu && usesExperts && architecture !== 'gpt-oss' ? 0.08 * layers : 1
}

export interface SpeedQuery {
  readonly dimensions: ModelDimensions
  readonly profile: NodeProfile
  readonly sizing: Pick<Sizing, 'device' | 'backend' | 'gpuShare'>
  readonly correctionOf?: (backend: Sizing['backend']) => Correction | null
}

/**
 * Tokens per second of one stream: 1 / (bytes read per token / effective bandwidth + overhead), for layers split over GPU and CPU the
 * sum of both parts. The effective bandwidth is the one measured on this node with this architecture, else a documented
 * share of the probe's (CPU) or the maker's (GPU) figure. Context, prompts and other streams are left out. On rows of published
 * measurements it is within a third, see the tests.
 */
export function predictSpeed({ dimensions, profile, sizing, correctionOf }: SpeedQuery): Speed {
  const { decodeReadBytes } = dimensions
  if (decodeReadBytes === null) return { tokensPerSecond: null, tokensPerSecondAtLeast: null }
  const bandwidth = { dimensions, profile, sizing, ...(correctionOf === undefined ? {} : { correctionOf }) }
  const cpu = cpuBandwidth(bandwidth)
  const gpu = gpuBandwidth(bandwidth)
  const speedWith = (gpuBytesPerSecond: number | null): number | null => {
    const gpuBytes = decodeReadBytes * sizing.gpuShare
    const gpuSeconds = secondsFor(gpuBytes, gpuBytesPerSecond)
    const cpuSeconds = secondsFor(decodeReadBytes - gpuBytes, cpu)
    if (gpuSeconds === null || cpuSeconds === null) return null
    const overhead = sizing.gpuShare * overheadMs(dimensions, true) + (1 - sizing.gpuShare) * overheadMs(dimensions, false)
    return 1 / (gpuSeconds + cpuSeconds + overhead / 1000)
  }
  const tokensPerSecond = speedWith(gpu)
  // A GPU whose bandwidth nobody knows reads at least as fast as the CPU, or nobody would have bought it.
  return { tokensPerSecond, tokensPerSecondAtLeast: tokensPerSecond ?? speedWith(cpu) }
}

/** What a measured speed of one stream says of the bandwidth; the reverse of the prediction. Null when it makes no sense of it. */
export function effectiveBandwidth(
  dimensions: ModelDimensions,
  measured: { readonly tokensPerSecond: number; readonly device: Sizing['device'] },
): number | null {
  if (dimensions.decodeReadBytes === null || measured.device === 'split' || measured.tokensPerSecond <= 0) return null
  const seconds = 1 / measured.tokensPerSecond - overheadMs(dimensions, measured.device === 'gpu') / 1000
  return seconds <= 0 ? null : dimensions.decodeReadBytes / seconds
}

function cpuBandwidth({ profile, correctionOf }: SpeedQuery): number | null {
  const measured = correctionOf?.('cpu')?.effectiveBandwidthBytesPerSecond ?? null
  const probe = profile.memory.bandwidthBytesPerSecond
  return measured ?? (probe === null ? null : probe * cpuEfficiency)
}

/** For a GPU of unknown name that shares the RAM the probe of the RAM counts. */
function gpuBandwidth({ profile, sizing, correctionOf }: SpeedQuery): number | null {
  if (sizing.gpuShare === 0) return null
  const measured = correctionOf?.(sizing.backend)?.effectiveBandwidthBytesPerSecond ?? null
  if (measured !== null) return measured
  const gpus = profile.gpus.filter((each) => each.backend === sizing.backend)
  const specified = gpus.map((gpu) => gpuBandwidthBytesPerSecond(gpu.name)).filter((value) => value !== null)
  // Layers on several GPUs run one after the other: the slowest is a safe figure for all.
  if (specified.length > 0 && specified.length === gpus.length) return Math.min(...specified) * gpuEfficiency
  const probe = profile.memory.bandwidthBytesPerSecond
  return gpus.length > 0 && gpus.every((gpu) => gpu.unifiedMemory) && probe !== null ? probe * gpuEfficiency : null
}

const secondsFor = (bytes: number, bytesPerSecond: number | null): number | null =>
  bytes === 0 ? 0 : bytesPerSecond === null || bytesPerSecond <= 0 ? null : bytes / bytesPerSecond
