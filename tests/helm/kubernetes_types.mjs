// Checks rendered documents against Kubernetes' own types, offline: helm lint sees neither a misspelt field nor a
// string where a number belongs, TypeScript's excess property check sees both. custom_types.d.ts has the kinds of others.
import ts from 'typescript';
import {fileURLToPath} from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));

const custom = /^(gateway\.networking\.k8s\.io|route\.openshift\.io|monitoring\.coreos\.com|keda\.sh)\//;

function moduleOf(apiVersion) {
  if (custom.test(apiVersion)) return './custom_types';
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['core', apiVersion];
  return `kubernetes-types/${group.replace(/\.k8s\.io$/, '').replace(/^rbac\.authorization$/, 'rbac')}/${version}`;
}

// The type errors of `documents`, one line each; none when all is well.
export function typeErrors(documents) {
  const source = documents
      .map((document, i) => `import type {${document.kind} as K${i}} from '${moduleOf(document.apiVersion)}';\n` +
                            `export const o${i}: K${i} = ${JSON.stringify(document, null, 1)};\n`)
      .join('');
  const name = `${root}rendered.ts`;
  const options = {
    noEmit: true, strict: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2020,
    module: ts.ModuleKind.CommonJS, moduleResolution: ts.ModuleResolutionKind.Node10,
  };
  const host = ts.createCompilerHost(options);
  const {fileExists, getSourceFile, readFile} = host;
  host.fileExists = (file) => file === name || fileExists(file);
  host.readFile = (file) => (file === name ? source : readFile(file));
  host.getSourceFile = (file, ...rest) =>
      file === name ? ts.createSourceFile(file, source, options.target) : getSourceFile(file, ...rest);
  return ts.getPreEmitDiagnostics(ts.createProgram([name], options, host))
      .map((diagnostic) => ts.flattenDiagnosticMessageText(diagnostic.messageText, ' '));
}
