// Writes src/generated from ../../proto: the types of the messages, and descriptor.json, the same definitions as data, which the
// program carries inside its bundle instead of .proto files. Run by `npm run generate -w @shoal/protocol`; another folder may be named.
import { execFileSync } from 'node:child_process'
import { globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { loadOptions } from './src/load-options.ts'

const repository = join(import.meta.dirname, '../..')
const protoFolder = join(repository, 'proto')
const outFolder = resolve(process.argv[2] ?? join(import.meta.dirname, 'src/generated'))
const files = globSync('**/*.proto', { cwd: protoFolder }).sort()

rmSync(outFolder, { recursive: true, force: true })
mkdirSync(outFolder, { recursive: true })

const require = createRequire(import.meta.url)
const loaderManifest = require.resolve('@grpc/proto-loader/package.json')
const generator = join(dirname(loaderManifest), require(loaderManifest).bin['proto-loader-gen-types'])
const typeOptions = Object.entries(loadOptions).map(([name, value]) => (value === true ? `--${name}` : `--${name}=${value.name}`))
execFileSync(
  process.execPath,
  [generator, ...typeOptions, '--grpcLib=@grpc/grpc-js', '--importFileExtension=.ts', '-I', 'proto', '-O', outFolder, ...files],
  // From here, so that the path in the head of each file is the same on every machine.
  { cwd: repository, stdio: ['ignore', 'ignore', 'inherit'] },
)
// One more file per .proto names the whole package for generic loading; the typed service definitions make it superfluous.
for (const file of globSync('*.ts', { cwd: outFolder })) rmSync(join(outFolder, file))

// The loader's own copy of protobufjs, so that the data is written by the version that reads it.
const { Root } = createRequire(loaderManifest)('protobufjs')
const root = new Root()
root.resolvePath = (_origin, target) => join(protoFolder, target)
root.loadSync(files).resolveAll()
writeFileSync(join(outFolder, 'descriptor.json'), `${JSON.stringify(root.toJSON(), null, 1)}\n`)
