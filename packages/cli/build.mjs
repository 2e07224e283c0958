// Bundles the workspace packages into two files side by side: the program and the engine's child process.
// node-llama-cpp stays outside: it carries native libraries for each platform.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = dirname(fileURLToPath(import.meta.url))
const outdir = join(here, 'dist')
mkdirSync(outdir, { recursive: true })
const { metafile } = await build({
  entryPoints: { shoal: 'src/shoal.ts', 'engine-child': '../engine/src/engine-child.ts' },
  outdir,
  bundle: true,
  metafile: true,
  platform: 'node',
  format: 'esm',
  target: 'node22',
  external: ['node-llama-cpp', '@node-llama-cpp/*'],
  // The flag bounds V8's young generation, which otherwise grows to 128 MB under load: with 1,000 open streams a gateway took 315 MiB without it
  // and 198 with it, at the same speed. The second line: some bundled libraries are CommonJS and call require for Node's own modules.
  banner: {
    js: "#!/usr/bin/env -S node --max-semi-space-size=16\nimport { createRequire as shoalCreateRequire } from 'node:module'; const require = shoalCreateRequire(import.meta.url);",
  },
  legalComments: 'none',
  logLevel: 'warning',
  absWorkingDir: here,
})
chmodSync(join(outdir, 'shoal.js'), 0o755)
writeFileSync(join(outdir, 'LICENSES.txt'), licences(Object.keys(metafile.inputs)))

/** The licence text of every outside package that ended up in the bundle. */
function licences(inputs) {
  const folders = new Set()
  for (const input of inputs) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)
    if (match?.[1] !== undefined) folders.add(join(here, match[1]))
  }
  return [...folders].sort().map(licence).join('\n')
}

function licence(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = existsSync(folder) ? readdirSync(folder).find((each) => /^licen[cs]e/i.test(each)) : undefined
  return `${name} ${version} (${license})\n${file === undefined ? '' : readFileSync(join(folder, file), 'utf8')}\n`
}
