// helm/weir/ci/*-values.yaml are what chart-testing (ct lint, ct install) takes: each renders and lints.
import assert from 'node:assert/strict';
import {readFileSync, readdirSync} from 'node:fs';
import {test} from 'node:test';
import {parse} from 'yaml';
import {chart, lint, majors, render} from './helm.mjs';
import {typeErrors} from './kubernetes_types.mjs';

const files = readdirSync(`${chart}/ci`);

test('ci has values for a trial, a Valkey and the memory bus', () => {
  assert.deepEqual(files.sort(), ['memory-values.yaml', 'trial-values.yaml', 'valkey-values.yaml']);
});

for (const file of files) {
  const values = parse(readFileSync(`${chart}/ci/${file}`, 'utf8')) ?? {};
  for (const major of majors) {
    test(`helm ${major} lints and renders ci/${file}`, () => {
      const {status, stdout, stderr} = lint(major, values);
      assert.equal(status, 0, stdout + stderr);
      const documents = render(major, values);
      assert.deepEqual(typeErrors(documents), []);
      // ct installs them on a cluster with nothing else there.
      const needed = JSON.stringify(documents).match(/"secretKeyRef":\{[^}]*\}/g) ?? [];
      assert.deepEqual(needed, []);
    });
  }
}
