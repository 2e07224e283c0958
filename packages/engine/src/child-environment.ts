/** What native libraries need to find their files, drivers and settings. */
const names = new Set(
  [
    'PATH HOME USER USERPROFILE LOCALAPPDATA APPDATA XDG_CACHE_HOME XDG_RUNTIME_DIR TMPDIR TEMP TMP LANG LC_ALL TZ',
    'SYSTEMROOT WINDIR COMSPEC PATHEXT PROGRAMDATA LD_LIBRARY_PATH DYLD_LIBRARY_PATH ROCR_VISIBLE_DEVICES NODE_LLAMA_CPP_DEBUG',
  ].flatMap((line) => line.split(' ')),
)
const prefixes = ['CUDA_', 'NVIDIA_', 'GGML_', 'VK_', 'VULKAN_', 'MESA_', 'HIP_', 'METAL_', 'OMP_']

/**
 * Environment of an engine child: an allow-list, so that no key or token of the parent reaches code that reads files from strangers.
 *
 * @param workerThreads size of libuv's pool: a decode and every sample occupy one of its threads while they run
 */
export function createChildEnvironment(parent: NodeJS.ProcessEnv, workerThreads: number): Record<string, string> {
  const environment: Record<string, string> = { UV_THREADPOOL_SIZE: String(workerThreads) }
  for (const [name, value] of Object.entries(parent)) {
    const upper = name.toUpperCase()
    if (value !== undefined && (names.has(upper) || prefixes.some((prefix) => upper.startsWith(prefix)))) environment[name] = value
  }
  return environment
}
