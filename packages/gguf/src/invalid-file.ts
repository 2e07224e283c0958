import { ShoalError } from '@shoal/core'

/** `name` is the path or URL of the file; `problem` goes on "NAME: ". The table of errors holds the remedy (fetch the file again). */
export const invalidFile = (name: string, problem: string): ShoalError =>
  new ShoalError({ code: 'MODEL_FILE_INVALID', message: `${name}: ${problem}` })
