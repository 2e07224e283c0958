import { ShoalError } from '@shoal/core'

/**
 * `name` is the path or URL of the file, `problem` goes on "NAME: ". Without a remedy the one of the error table stands: fetch the file
 * again.
 */
export const invalidFile = (name: string, problem: string, remedy?: string): ShoalError =>
  new ShoalError({ code: 'MODEL_FILE_INVALID', message: `${name}: ${problem}`, ...(remedy === undefined ? {} : { remedy }) })
