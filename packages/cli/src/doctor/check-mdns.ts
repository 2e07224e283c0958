import type { Log } from '@shoal/core'
import { checkMulticast } from '@shoal/membership'
import { systemClock } from '@shoal/runtime'
import type { Check } from './checks.ts'

/** Whether each interface hears its own mDNS announcement. */
export async function checkMdns(log: Log): Promise<Check[]> {
  const report = await checkMulticast({ timeoutMs: 1_500, log, clock: systemClock })
  if (report.reason !== null) return [{ what: 'multicast', outcome: 'note', finding: report.reason, remedy: report.remedy }]
  return report.interfaces.map((each) => ({
    what: `multicast on ${each.name}`,
    outcome: each.outcome === 'works' ? 'good' : 'bad',
    finding: each.outcome === 'works' ? `works; ${each.neighbours} other machine(s) heard` : (each.reason ?? each.outcome),
    remedy: each.remedy,
  }))
}
