/** File name without folders, `.gguf` and the suffix of a split set: `a/b/M-00001-of-00003.gguf` -> `M`. Takes both kinds of separators. */
export function fileStem(file: string): string {
  const name = file.split(/[\\/]/).at(-1) ?? file
  return name.replace(/\.gguf$/i, '').replace(/-\d{5}-of-\d{5}$/, '')
}
