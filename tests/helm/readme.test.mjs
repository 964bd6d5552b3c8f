// The chart's README lists each value with its default.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {parse} from 'yaml';

const read = (name) => readFileSync(new URL(`../../helm/weir/${name}`, import.meta.url), 'utf8');
const values = parse(read('values.yaml'));
const rows = [...read('README.md').matchAll(/^\| `([\w.]+)` \| `(.*?)` \|/gm)].map(([, path, text]) => ({path, text}));

// The paths of all values, as deep as the README goes: below a row there are no others.
function paths(value, path) {
  if (rows.some((row) => row.path === path)) return [path];
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [path];
  return Object.entries(value).flatMap(([key, child]) => paths(child, path ? `${path}.${key}` : key));
}

test('README.md lists every value, and no other', () => {
  assert.deepEqual(rows.map(({path}) => path), paths(values, ''));
});

for (const {path, text} of rows) {
  test(`README.md has the default of ${path}`, () => {
    const value = path.split('.').reduce((at, key) => at[key], values);
    assert.deepEqual(JSON.parse(text), value);
  });
}
