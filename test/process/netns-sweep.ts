import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** Every namespace of a test is called `<this>-<process id>-...`, so that what a killed test left behind can be told from what is in use. */
export const namespacePrefix = 'shoalnet'

/** Removes the namespaces of one process and kills what runs in them. */
export function sweepNamespacesOf(ownerPid: number): void {
  sweep((pid) => pid === ownerPid)
}

/** Removes what processes left behind that are no more. */
export function sweepOrphanedNamespaces(): void {
  sweep(isGone)
}

function isGone(pid: number): boolean {
  try {
    // A zombie holds nothing any more, but still answers signal 0.
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return true
  }
}

function sweep(isOwner: (pid: number) => boolean): void {
  for (const namespace of listNamespaces()) {
    const owner = new RegExp(`^${namespacePrefix}-(\\d+)-`).exec(namespace)?.[1]
    if (owner === undefined || !isOwner(Number(owner))) continue
    const pids = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' }).stdout ?? ''
    for (const pid of pids.split(/\s+/).filter((text) => /^\d+$/.test(text))) spawnSync('kill', ['-9', pid])
    spawnSync('ip', ['netns', 'del', namespace])
  }
}

function listNamespaces(): readonly string[] {
  try {
    return readdirSync('/run/netns')
  } catch {
    return []
  }
}
