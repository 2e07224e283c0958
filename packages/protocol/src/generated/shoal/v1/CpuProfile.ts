// Original file: proto/shoal/v1/node.proto

import type { InstructionSets as _shoal_v1_InstructionSets, InstructionSets__Output as _shoal_v1_InstructionSets__Output } from '../../shoal/v1/InstructionSets.ts';

export interface CpuProfile {
  'model'?: (string);
  'architecture'?: (string);
  'physicalCores'?: (number);
  'logicalCores'?: (number);
  'usableCores'?: (number | string);
  'instructionSets'?: (_shoal_v1_InstructionSets | null);
  '_model'?: "model";
  '_physicalCores'?: "physicalCores";
  '_instructionSets'?: "instructionSets";
}

export interface CpuProfile__Output {
  'model'?: (string);
  'architecture': (string);
  'physicalCores'?: (number);
  'logicalCores': (number);
  'usableCores': (number);
  'instructionSets'?: (_shoal_v1_InstructionSets__Output | null);
}
