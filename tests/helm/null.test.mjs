// A value given as null is as one that is not given: the chart renders, or refuses it with a sentence. Never is there an
// error of Go's templates.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {parse} from 'yaml';
import {chart, refusal} from './helm.mjs';
import {everything} from './values.mjs';

const values = parse(readFileSync(`${chart}/values.yaml`, 'utf8'));

// The paths of all values, of objects too.
function paths(value, above = []) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([key, child]) => [[...above, key], ...paths(child, [...above, key])]);
}

// `values` with null at `path`.
function withNull(values, [key, ...rest]) {
  return {...values, [key]: rest.length > 0 ? withNull(values?.[key] ?? {}, rest) : null};
}

// A template's own words stand behind "execution error at (…):", the schema's behind "don't meet the specifications".
const isSentence = (text) => /execution error at \([^)]*\): [a-z]|don't meet the specifications/i.test(text) && !/nil pointer|reflect|wrong type/.test(text);

const all = paths(values);
const objects = all.filter((path) => all.some((other) => other.length > path.length && path.every((key, i) => other[i] === key)));
for (const [name, base, places] of [['nothing', {}, all], ['everything', {...everything, dashboard: {enabled: false}}, objects]]) {
  test(`each null beside ${name} renders, or is refused with a sentence`, () => {
    const bad = [];
    for (const path of places) {
      const text = refusal(3, withNull(base, path));
      if (text !== undefined && !isSentence(text)) bad.push(`${path.join('.')}: ${text.trim()}`);
    }
    assert.deepEqual(bad, []);
  });
}
