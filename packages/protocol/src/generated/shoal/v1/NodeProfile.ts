// Original file: proto/shoal/v1/node.proto

import type { CpuProfile as _shoal_v1_CpuProfile, CpuProfile__Output as _shoal_v1_CpuProfile__Output } from '../../shoal/v1/CpuProfile.ts';
import type { MemoryProfile as _shoal_v1_MemoryProfile, MemoryProfile__Output as _shoal_v1_MemoryProfile__Output } from '../../shoal/v1/MemoryProfile.ts';
import type { GpuProfile as _shoal_v1_GpuProfile, GpuProfile__Output as _shoal_v1_GpuProfile__Output } from '../../shoal/v1/GpuProfile.ts';
import type { DiskProfile as _shoal_v1_DiskProfile, DiskProfile__Output as _shoal_v1_DiskProfile__Output } from '../../shoal/v1/DiskProfile.ts';
import type { BatteryProfile as _shoal_v1_BatteryProfile, BatteryProfile__Output as _shoal_v1_BatteryProfile__Output } from '../../shoal/v1/BatteryProfile.ts';
import type { NetworkInterface as _shoal_v1_NetworkInterface, NetworkInterface__Output as _shoal_v1_NetworkInterface__Output } from '../../shoal/v1/NetworkInterface.ts';

export interface NodeProfile {
  'hostname'?: (string);
  'platform'?: (string);
  'osRelease'?: (string);
  'cpu'?: (_shoal_v1_CpuProfile | null);
  'memory'?: (_shoal_v1_MemoryProfile | null);
  'gpus'?: (_shoal_v1_GpuProfile)[];
  'disk'?: (_shoal_v1_DiskProfile | null);
  'battery'?: (_shoal_v1_BatteryProfile | null);
  'interfaces'?: (_shoal_v1_NetworkInterface)[];
  '_disk'?: "disk";
  '_battery'?: "battery";
}

export interface NodeProfile__Output {
  'hostname': (string);
  'platform': (string);
  'osRelease': (string);
  'cpu': (_shoal_v1_CpuProfile__Output | null);
  'memory': (_shoal_v1_MemoryProfile__Output | null);
  'gpus': (_shoal_v1_GpuProfile__Output)[];
  'disk'?: (_shoal_v1_DiskProfile__Output | null);
  'battery'?: (_shoal_v1_BatteryProfile__Output | null);
  'interfaces': (_shoal_v1_NetworkInterface__Output)[];
}
