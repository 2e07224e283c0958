/**
 * How messages look in JavaScript. The generator of the types and the loader at run time both read it, so they cannot differ.
 * 64-bit numbers are JS numbers: every one is a count of bytes, parameters or decodes, or a seed, all below 2^53.
 */
export const loadOptions = { longs: Number, enums: String, defaults: true } as const
